"""The programs of the sky, of lights and soft shadows, of silhouettes, and of the camera behind its lens."""

from __future__ import annotations

from perception.simulation.rendering.shaders.parts import HEADER, LIGHTING, PLACING

SKY_VERTEX = (
    HEADER
    + """
in vec2 corner;
out vec3 v_ray;
void main() {
    // Rows that look well below the horizon show no sky.
    float last = ray_y.z < 0.0 ? (-0.1 - ray_0.z - abs(ray_x.z)) / ray_y.z : 1.0;
    vec2 at = vec2(corner.x, min(corner.y, max(last, -1.0)));
    v_ray = ray_0.xyz + at.x * ray_x.xyz + at.y * ray_y.xyz;
    gl_Position = vec4(at, 1.0, 1.0);
}
"""
)

SKY_FRAGMENT = (
    HEADER
    + LIGHTING
    + """
in vec3 v_ray;
layout(location = 0) out vec4 colour;
void main() {
    vec3 way = normalize(v_ray);
    vec3 light = textureLod(sky, 0.5 + glow.w * way.xy / (1.0 + max(way.z, -0.04)), 0.0).rgb;
    light *= light * 4.0;
    float mist = exp(-max(way.z, 0.0) * 9.0) * clamp(horizon.w * 120.0, 0.0, 1.0);
    colour = vec4(toned(mix(light, horizon.rgb, mist)), 1.0);
}
"""
)

SPRITE_VERTEX = (
    HEADER
    + """
in vec2 corner;
in vec4 middle_kind; in vec4 first_size; in vec4 second; in vec4 tint;
out vec2 v_at; flat out vec4 v_tint; flat out float v_kind;
void main() {
    v_at = corner; v_kind = middle_kind.w;
    vec3 point = middle_kind.xyz;
    vec3 to_eye = eye.xyz - point;
    float distance_m = length(to_eye);
    v_tint = tint;
    if (v_kind > 2.5) {
        // A lamp mirrored in the wet road: a streak towards the camera, from where its ray would touch the road.
        vec2 toward = to_eye.xy / max(length(to_eye.xy), 0.1);
        float flat_m = length(to_eye.xy), lamp_m = first_size.z;
        float middle_m = flat_m * lamp_m / (lamp_m + max(eye.z, 0.3));
        float facing = dot(toward, first_size.xy);
        v_tint *= dot(first_size.xy, first_size.xy) < 0.5 ? 1.0 : smoothstep(0.05, 0.75, facing);
        point.xy += toward * (middle_m + corner.y * min(0.22 * flat_m, 6.0));
        point.xy += vec2(-toward.y, toward.x) * corner.x * first_size.w;
    } else if (v_kind > 1.5) {
        // A lamp: turned to the camera, seen only from where it shines, a little in front of its body.
        float facing = dot(to_eye / distance_m, first_size.xyz);
        v_tint *= dot(first_size.xyz, first_size.xyz) < 0.5 ? 1.0 : smoothstep(0.05, 0.75, facing);
        point += to_eye / distance_m * 0.35;
        float size = first_size.w * (0.55 + 0.018 * distance_m);
        point += size * (corner.x * normalize(ray_x.xyz) + corner.y * normalize(ray_y.xyz));
    } else {
        point += corner.x * first_size.xyz + corner.y * second.xyz;
    }
    v_tint *= exp(-distance_m * horizon.w);
    gl_Position = clip_from_town * vec4(point, 1.0);
}
"""
)

SPRITE_FRAGMENT = """#version 330
in vec2 v_at; flat in vec4 v_tint; flat in float v_kind;
layout(location = 0) out vec4 colour;
void main() {
    float share;
    if (v_kind < 0.5) {
        vec2 side = clamp((1.0 - abs(v_at)) * vec2(4.0, 2.2), 0.0, 1.0);
        share = side.x * side.y * (2.0 - side.x) * 0.8;
    } else {
        float rest = max(1.0 - dot(v_at, v_at), 0.0);
        share = v_kind < 1.5 ? rest * rest : v_kind > 2.5 ? rest * rest
              : 0.34 * rest * rest * rest + 0.9 * pow(rest, 22.0);
    }
    colour = v_tint * share;
}
"""

SILHOUETTE_VERTEX = (
    """#version 330
uniform mat4 clip_from_town;
"""
    + PLACING
    + """
in vec4 tile; in vec4 window; in uint code;
flat out uint v_code; flat out vec4 v_window;
void main() {
    vec3 n;
    vec4 clip = clip_from_town * vec4(placed(n), 1.0);
    gl_Position = vec4(tile.xy * clip.xy + tile.zw * clip.w, clip.zw);
    v_code = code; v_window = window;
}
"""
)

SILHOUETTE_FRAGMENT = """#version 330
flat in uint v_code; flat in vec4 v_window;
layout(location = 0) out uint code;
void main() {
    if (any(lessThan(gl_FragCoord.xy, v_window.xy)) || any(greaterThan(gl_FragCoord.xy, v_window.zw))) discard;
    code = v_code;
}
"""

SCREEN_VERTEX = """#version 330
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }
"""

COPY_DEPTH_FRAGMENT = """#version 330
uniform sampler2D depths;
void main() { gl_FragDepth = texelFetch(depths, ivec2(gl_FragCoord.xy), 0).r; }
"""

_MAJORITY = """
uint majority(usampler2DMS codes, ivec2 at) {
    uint a = texelFetch(codes, at, 0).r, b = texelFetch(codes, at, 1).r;
    uint c = texelFetch(codes, at, 2).r, d = texelFetch(codes, at, 3).r;
    return a == b || a == c || a == d ? a : b == c || b == d ? b : c == d ? c : a;
}
"""

CODE_VERTEX = """#version 330
uniform vec2 size_px;
in vec2 corner; in vec4 box_px;
void main() {
    vec2 at_px = mix(box_px.xy, box_px.zw, 0.5 * corner + 0.5);
    gl_Position = vec4(2.0 * at_px / size_px - 1.0, 0.0, 1.0);
}
"""

CODE_FRAGMENT = (
    """#version 330
uniform usampler2DMS codes;
layout(location = 0) out uint code;
"""
    + _MAJORITY
    + """
void main() { code = majority(codes, ivec2(gl_FragCoord.xy)); }
"""
)

COVERAGE_FRAGMENT = (
    """#version 330
uniform usampler2DMS codes;
layout(location = 0) out uint covered;
"""
    + _MAJORITY
    + """
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    covered = majority(codes, at) != 0u ? 8u : 0u;
    for (int i = 0; i < 4; i++) covered += texelFetch(codes, at, i).r != 0u ? 1u : 0u;
}
"""
)
"""Of a silhouette's pixels: 8 where most samples show it, plus the number of samples that do."""

_DEVELOPING = """
uniform vec2 size_px;
uniform vec4 faults;   // noise, blur in pixels, vignette, rain
uniform vec3 tint;
uniform uint seed;
uint mixed(uint x) {
    x = x * 747796405u + 2891336453u;
    x = ((x >> ((x >> 28u) + 4u)) ^ x) * 277803737u;
    return (x >> 22u) ^ x;
}
vec4 developed(vec3 seen) {
    vec2 off = gl_FragCoord.xy / size_px - 0.5;
    seen = mix(vec3(dot(seen, vec3(0.30, 0.59, 0.11))), seen, 1.22);
    seen = mix(seen, seen * seen * (3.0 - 2.0 * seen), 0.45);
    seen *= tint * (1.0 - faults.z * 2.0 * dot(off, off));
    uvec2 p = uvec2(gl_FragCoord.xy);
    uint h = mixed(p.x + mixed(p.y + seed));
#ifdef RAIN
    // Drops that fall past the lens, as short slanting strokes.
    uint stroke = mixed(uint((gl_FragCoord.x + 0.11 * gl_FragCoord.y) * 640.0 / size_px.x * 0.5) + mixed(seed));
    float fall = fract(gl_FragCoord.y / size_px.y * 5.0 + float(stroke & 1023u) / 1024.0);
    seen += step(float((stroke >> 10u) & 1023u) / 1024.0, 0.35 * faults.w) * smoothstep(0.72, 0.9, fall) * 0.045;
#endif
    vec3 grain = vec3(float(h & 2047u), float((h >> 11u) & 2047u), float((h >> 16u) & 2047u)) / 2047.0 - 0.5;
    return vec4(seen + grain * (faults.x * 3.46 * (1.3 - 0.6 * seen.g)), 1.0);
}
"""

RESOLVE_FRAGMENT = (
    """#version 330
uniform sampler2DMS samples;
layout(location = 0) out vec4 colour;
"""
    + _DEVELOPING
    + """
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    colour = 0.25 * (texelFetch(samples, at, 0) + texelFetch(samples, at, 1)
                   + texelFetch(samples, at, 2) + texelFetch(samples, at, 3));
#ifdef SHARP
    colour = developed(colour.rgb);
#endif
}
"""
)

BLUR_FRAGMENT = (
    """#version 330
uniform sampler2D picture;
layout(location = 0) out vec4 colour;
"""
    + _DEVELOPING
    + """
void main() {
    vec2 at = gl_FragCoord.xy / size_px, d = faults.y / size_px;
    vec3 seen = texture(picture, at + d).rgb + texture(picture, at - d).rgb
              + texture(picture, at + vec2(d.x, -d.y)).rgb + texture(picture, at + vec2(-d.x, d.y)).rgb;
    colour = developed(0.25 * seen);
}
"""
)
