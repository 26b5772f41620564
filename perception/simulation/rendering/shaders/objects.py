"""The programs that draw what stands in the town: road users and props, plants, houses, the ground."""

from __future__ import annotations

from perception.simulation.rendering.shaders.parts import ATMOSPHERE, HEADER, LIGHTING, PLACING

SOLID_VERTEX = (
    HEADER
    + ATMOSPHERE
    + PLACING
    + """
in vec4 colour_a; in vec4 colour_b; in vec4 colour_c; in vec4 colour_d; in uint code;
uniform vec4 palette[32];
out vec4 v_fog; out vec3 v_position; out vec3 v_shade; out vec3 v_normal;
out vec3 v_colour; out vec3 v_shine; out vec3 v_glow;
#ifdef CODES
flat out uint v_code;
#endif
void main() {
    v_position = placed(v_normal);
#ifdef CODES
    v_code = code;
#endif
    int slot = int(kind.x * 255.0 + 0.5);
    int flags = int(scale_flags.w + 0.5);
    vec4 own = slot == 0 ? colour_a : slot == 1 ? colour_b : slot == 2 ? colour_c : colour_d;
    vec4 colour = slot < 4 ? vec4(own.rgb * own.rgb, (flags & 4096) != 0 && slot == 0 ? 0.5 : 0.04) : palette[slot];
    v_glow = vec3(0.0);
    if (slot >= 16) {
        bool lit = (flags & (1 << (slot - 16))) != 0;
        bool tail = slot == 16 && (flags & 8) != 0;
        v_glow = lit ? colour.rgb * (slot == 16 || slot == 20 ? 1.5 : 1.9) : tail ? colour.rgb * 0.45 : vec3(0.0);
        colour.rgb *= lit ? 0.30 : slot == 19 ? 0.75 : slot > 19 && slot < 23 ? 0.05 : 0.30;
    }
    v_colour = colour.rgb;
    v_shine = vec3(colour.a, kind.w, slot == 4 ? 1.0 : 0.0);
    v_fog = fog_at(v_position);
    v_shade = shadow_position(v_position, v_normal);
    gl_Position = clip_from_town * vec4(v_position, 1.0);
}
"""
)

SOLID_FRAGMENT = (
    HEADER
    + ATMOSPHERE
    + LIGHTING
    + """
in vec4 v_fog; in vec3 v_position; in vec3 v_shade; in vec3 v_normal; in vec3 v_colour; in vec3 v_shine; in vec3 v_glow;
layout(location = 0) out vec4 colour;
#ifdef CODES
flat in uint v_code;
layout(location = 1) out uint code;
#endif
void main() {
    vec3 n = normalize(v_normal);
    vec3 look = normalize(v_position - eye.xyz);
    float lit = sunlight(v_shade) * max(dot(n, sun_direction.xyz), 0.0);
    vec3 light = v_colour * (sun.rgb * lit + ambient(n) * v_shine.y);
    vec3 mirrored = reflect(look, n);
    float edge = 1.0 - max(-dot(look, n), 0.0);
    float fresnel = v_shine.x * (0.10 + 0.75 * edge * edge * edge);
    vec3 seen = sky_at(mirrored, 2.0 + 2.0 * (1.0 - v_shine.x));
    seen *= mirrored.z > 0.0 ? 1.0 : 0.35;
    light = mix(light, seen * (0.35 + 0.65 * v_shine.y), fresnel);
    float spot = max(dot(mirrored, sun_direction.xyz), 0.0);
    spot *= spot; spot *= spot; spot *= spot; spot *= spot;
    light += sun.rgb * spot * spot * v_shine.x * step(0.01, lit) * 0.9;
    colour = vec4(toned((light + v_glow) * v_fog.a + v_fog.rgb), 1.0);
#ifdef CODES
    code = v_code;
#endif
}
"""
)

USER_VERTEX, USER_FRAGMENT = (
    source.replace("#version 330", "#version 330\n#define CODES") for source in (SOLID_VERTEX, SOLID_FRAGMENT)
)

PLANT_VERTEX = (
    HEADER
    + ATMOSPHERE
    + PLACING
    + """
in vec4 colour_a; in vec4 colour_b;
uniform vec4 palette[32];
out vec4 v_fog; out vec3 v_position; out vec3 v_shade; out vec3 v_normal; out vec4 v_colour;
void main() {
    v_position = placed(v_normal);
    int slot = int(kind.x * 255.0 + 0.5);
    vec3 own = slot == 0 ? colour_a.rgb : colour_b.rgb;
    v_colour = slot < 2 ? vec4(own * own, kind.w) : vec4(palette[slot].rgb, -kind.w);
    v_fog = fog_at(v_position);
    v_shade = shadow_position(v_position, v_normal);
    gl_Position = clip_from_town * vec4(v_position, 1.0);
}
"""
)

PLANT_FRAGMENT = (
    HEADER
    + ATMOSPHERE
    + LIGHTING
    + """
in vec4 v_fog; in vec3 v_position; in vec3 v_shade; in vec3 v_normal; in vec4 v_colour;
layout(location = 0) out vec4 colour;
void main() {
    vec3 n = normalize(v_normal);
    vec4 leaves = texture(noise, v_position.xy * 0.21 + v_position.z * vec2(0.17, 0.29));
    float leafy = step(0.0, v_colour.a);
    n = normalize(n + leafy * 1.1 * (leaves.gbr - 0.5));
    float facing = dot(n, sun_direction.xyz);
    float lit = sunlight(v_shade) * mix(max(facing, 0.0), max(0.30 + 0.70 * facing, 0.0), leafy);
    vec3 base = v_colour.rgb * mix(1.0, 0.55 + 0.9 * leaves.g, leafy);
    vec3 light = base * (sun.rgb * lit + ambient(n) * abs(v_colour.a));
    colour = vec4(toned((light) * v_fog.a + v_fog.rgb), 1.0);
}
"""
)

HOUSE_VERTEX = (
    HEADER
    + ATMOSPHERE
    + """
in vec3 position; in vec3 normal; in vec2 cell; in vec4 paint; in vec4 style;
out vec4 v_fog; out vec3 v_position; out vec3 v_shade; out vec2 v_cell; flat out vec3 v_normal;
flat out vec4 v_paint; flat out vec4 v_style;
flat out vec3 v_sun; flat out vec3 v_ambient; flat out vec3 v_accent; flat out vec4 v_layers;
void main() {
    v_position = position; v_normal = normal; v_cell = cell; v_style = style;
    v_paint = vec4(paint.rgb * paint.rgb, floor(paint.a * 255.0 + 0.5));
    v_sun = sun.rgb * max(dot(normal, sun_direction.xyz), 0.0);
    v_ambient = ambient(normal);
    v_accent = 0.04 + 0.40 * vec3(style.x * style.x, 0.45 * style.y, (1.0 - style.x) * style.y);
    // Which window the wall has, whether its side walls have blind cells, where the door is, bricks.
    v_layers = vec4(1.0 + floor(style.y * 3.999), style.x < 0.6 ? 0.35 : -1.0, 1.0 + floor(style.x * 2.99),
                    8.0 * step(0.5, style.z));
    v_fog = fog_at(position);
    v_shade = shadow_position(position, normal);
    gl_Position = clip_from_town * vec4(position, 1.0);
}
"""
)

HOUSE_FRAGMENT = (
    HEADER
    + ATMOSPHERE
    + LIGHTING
    + """
uniform sampler2DArray facades;
in vec4 v_fog; in vec3 v_position; in vec3 v_shade; in vec2 v_cell; flat in vec3 v_normal;
flat in vec4 v_paint; flat in vec4 v_style;
flat in vec3 v_sun; flat in vec3 v_ambient; flat in vec3 v_accent; flat in vec4 v_layers;
layout(location = 0) out vec4 colour;
void main() {
    float surface = v_paint.a;
    vec2 id = floor(v_cell);
    float chance = fract(dot(id, vec2(0.7548777, 0.5698403)) + v_style.x * 37.0);
    bool wall = surface != 3.0 && surface > 0.5, street = wall && surface != 2.0 && id.y < 0.5;
    float layer = v_layers.x;
    layer = surface == 2.0 && chance < v_layers.y ? 0.0 : layer;
    layer = street && surface == 4.0 ? 5.0 : layer;
    layer = street && abs(id.x - v_layers.z) < 0.5 ? 6.0 : layer;
    layer = wall ? layer + v_layers.w : surface == 3.0 ? 7.0 : 0.0;
    vec4 cut = texture(facades, vec3(v_cell, layer));
    vec3 base = v_paint.rgb * (cut.r * 1.25);
    base = mix(base, vec3(v_style.w * v_style.w), cut.g);
    base = mix(base, v_accent, cut.a);
    base *= wall && v_position.z < 0.45 ? 0.66 : 1.0;
    vec3 look = normalize(v_position - eye.xyz);
    float open = clamp(0.55 + v_position.z * 0.16, 0.0, 1.0);
    vec3 light = base * (v_sun * sunlight(v_shade) + v_ambient * open);
    vec3 mirrored = reflect(look, v_normal) + vec3(0.0, 0.0, 0.10 * (chance - 0.4));
    float edge = 1.0 - abs(dot(look, v_normal));
    vec3 window = vec3(0.012, 0.015, 0.018) + sky_at(mirrored, 3.0) * (mirrored.z > 0.0 ? 1.0 : 0.35)
                * (0.15 + 0.6 * edge * edge * edge);
#ifdef LAMPS
    float often = layer == 5.0 || layer == 13.0 ? 0.95 : 0.5, lamps = ground_light.w;
    float inner = fract(chance * 17.3) < often * lamps ? lamps : 0.0;
    window += inner * vec3(0.62, 0.36, 0.14) * (0.20 + 0.75 * fract(chance * 7.7) + 0.35 * fract(v_cell.y));
#endif
    light = mix(light, window, cut.b);
    colour = vec4(toned((light) * v_fog.a + v_fog.rgb), 1.0);
}
"""
)

GROUND_VERTEX = (
    HEADER
    + ATMOSPHERE
    + """
in vec3 position; in float across; in float normal_z; in float cover;
out vec3 v_position; out vec3 v_shade; out float v_across; flat out float v_cover; flat out float v_slope;
void main() {
    v_position = position; v_across = across; v_cover = cover; v_slope = normal_z;
    v_shade = shadow_position(position, vec3(0.0, 0.0, 1.0));
    gl_Position = clip_from_town * vec4(position, 1.0);
}
"""
)

GROUND_FRAGMENT = (
    HEADER
    + ATMOSPHERE
    + LIGHTING
    + """
in vec3 v_position; in vec3 v_shade; in float v_across; flat in float v_cover; flat in float v_slope;
layout(location = 0) out vec4 colour;
void main() {
    vec4 broad = texture(noise, v_position.xy * 0.023);
    vec4 fine = texture(noise, v_position.xy * 0.31);
    float grain = 0.78 + 0.44 * fine.g;
    vec3 asphalt = vec3(0.158, 0.160, 0.166) * (0.72 + 0.56 * broad.r) * grain;
    float t = abs(v_across);
    float tracks = t < 1.5 ? exp(-22.0 * (t - 0.46) * (t - 0.46)) : 0.0;
    float worn = t < 1.5 ? exp(-30.0 * t * t) : 0.0;
    asphalt *= 1.0 - 0.16 * tracks - 0.10 * worn;
    asphalt *= 1.0 - 0.30 * smoothstep(0.60, 0.66, broad.b);
    vec2 wide = fwidth(v_position.xy) * 1.3;
    float near = clamp(1.2 - 2.2 * max(wide.x, wide.y), 0.0, 1.0);
    vec3 base = asphalt;
    if (v_cover == 0.0) {
        base = mix(vec3(0.075, 0.145, 0.030), vec3(0.150, 0.190, 0.055), broad.r) * (0.62 + 0.75 * fine.b);
    } else if (v_cover == 2.0) {
        vec2 slab = abs(fract(v_position.xy * 1.25) - 0.5);
        float joint = smoothstep(0.46, 0.49, max(slab.x, slab.y)) * near;
        float each = fract(dot(floor(v_position.xy * 1.25 + 0.5), vec2(0.7548777, 0.5698403)));
        base = vec3(0.36, 0.34, 0.315) * (0.80 + 0.3 * broad.g) * (0.92 + 0.16 * each * near) * grain;
        base *= 1.0 - 0.35 * joint;
    } else if (v_cover == 3.0) {
        base = vec3(0.44, 0.43, 0.41) * (0.75 + 0.4 * fine.g);
    } else if (v_cover == 4.0) {
        base = mix(asphalt, vec3(0.74, 0.74, 0.71), clamp(0.70 + 0.5 * fine.g - 0.5 * broad.b, 0.35, 1.0));
    } else if (v_cover == 5.0) {
        base = vec3(0.235, 0.095, 0.075) * (0.75 + 0.5 * broad.r) * grain;
    } else if (v_cover == 6.0) {
        base = asphalt * vec3(1.28, 1.24, 1.20);
    }
    float hard = v_cover == 0.0 ? 0.0 : 1.0;
#ifdef WET
    float wet = sky_light.w * hard;
    base *= 1.0 - 0.50 * wet;
#endif
    vec3 n = vec3(0.0, 0.0, 1.0);
    float lit = sunlight(v_shade) * max(sun_direction.z, 0.0);
    vec3 light = base * (sun.rgb * lit + sky_light.rgb * v_slope);
    vec3 look = normalize(v_position - eye.xyz);
    float edge = 1.0 + look.z;
#ifdef WET
    float puddle = smoothstep(0.40, 0.56, broad.r);
    float fresnel = edge * edge * edge * edge * wet * mix(0.30, 0.80, puddle) + 0.03 * wet * puddle;
    fresnel += 0.05 * hard * edge * edge * edge * edge;
    vec3 mirrored = vec3(look.xy + (fine.rg - 0.5) * mix(0.14, 0.03, puddle), mix(0.10, 0.02, puddle) - look.z);
    // Where the mirrored ray runs low, houses stand: they are taken as a dark band of uneven height.
    float roofs = 0.10 + 0.16 * texture(noise, look.xy * 0.35 + eye.xy * 0.004).r;
    float free = smoothstep(roofs - 0.06, roofs + 0.10, mirrored.z);
    light = mix(light, sky_at(normalize(mirrored), 3.0) * mix(0.38, 0.95, free), fresnel);
#else
    light = mix(light, horizon.rgb, 0.05 * hard * edge * edge * edge * edge);
#endif
    vec4 fog = fog_at(v_position);
    colour = vec4(toned(light * fog.a + fog.rgb), 1.0);
}
"""
)

DEPTH_VERTEX = (
    """#version 330
uniform mat4 clip_from_town;
"""
    + PLACING
    + """
void main() {
    vec3 n;
    gl_Position = clip_from_town * vec4(placed(n), 1.0);
}
"""
)

DEPTH_HOUSE_VERTEX = """#version 330
uniform mat4 clip_from_town;
in vec3 position;
void main() { gl_Position = clip_from_town * vec4(position, 1.0); }
"""

DEPTH_FRAGMENT = """#version 330
void main() {}
"""
