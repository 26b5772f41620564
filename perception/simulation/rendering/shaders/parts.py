"""What the programs share: the scene's numbers, light and fog, how an instance is moved to its position."""

from __future__ import annotations

HEADER = """#version 330
layout(std140) uniform Scene {
    mat4 shadow_from_town;
    vec4 sun_direction;   // w: 1 where the sun casts shadows
    vec4 sun;             // w: exposure
    vec4 sky_light;       // w: wetness
    vec4 ground_light;    // w: lamps
    vec4 horizon;         // w: fog per metre
    vec4 glow;            // w: edge of the sky's circle in its picture
};
layout(std140) uniform View {
    mat4 clip_from_town;
    vec4 eye;
    vec4 ray_x;
    vec4 ray_y;
    vec4 ray_0;
};
"""

# Worked out at the vertices where triangles are small enough; fog on the ground at every pixel.
ATMOSPHERE = """
vec3 shadow_position(vec3 point, vec3 normal) { return (shadow_from_town * vec4(point + normal * 0.07, 1.0)).xyz; }
vec3 ambient(vec3 normal) { return mix(ground_light.rgb, sky_light.rgb, 0.5 + 0.5 * normal.z); }
vec4 fog_at(vec3 point) {
    vec3 far = point - eye.xyz;
    float distance_m = length(far);
    float toward_sun = max(dot(far, sun_direction.xyz) / distance_m, 0.0);
    vec3 haze = horizon.rgb + glow.rgb * (0.25 * toward_sun * toward_sun * toward_sun);
    float clear = exp(-distance_m * horizon.w);
    return vec4(haze * (1.0 - clear), clear);
}
"""

LIGHTING = """
uniform sampler2DShadow shadow_map;
uniform sampler2D sky;
uniform sampler2D noise;
// The filmic curve of Hejl and Burgess-Dawson, which ends in the screen's own gamma.
vec3 toned(vec3 light) {
    vec3 x = max(light * sun.w - 0.003, 0.0);
    return (x * (6.2 * x + 0.5)) / (x * (6.2 * x + 1.7) + 0.06);
}
float sunlight(vec3 at) {
    vec2 off = abs(at.xy - 0.5);
    return max(off.x, off.y) > 0.495 ? 1.0 : texture(shadow_map, at);
}
vec3 sky_at(vec3 way, float blur) {
    way.z = max(way.z, 0.02);
    vec3 seen = textureLod(sky, 0.5 + glow.w * way.xy / (1.0 + way.z), blur).rgb;
    return seen * seen * 4.0;
}
"""

PLACING = """
in vec3 position; in vec3 normal; in vec4 axes; in vec4 kind;
in vec4 position_yaw; in vec4 scale_flags; in vec4 angles_a; in vec4 angles_b;
vec3 turned(vec3 p, vec2 axis, float angle) {
    float s = sin(angle), c = cos(angle);
    vec2 d = p.xz - axis;
    return vec3(axis.x + c * d.x + s * d.y, p.y, axis.y - s * d.x + c * d.y);
}
float angle_of(int joint) {
    float angles[9] = float[9](0.0, angles_a.x, angles_a.y, angles_a.z, angles_a.w,
                               angles_b.x, angles_b.y, angles_b.z, angles_b.w);
    return angles[joint];
}
vec3 placed(out vec3 facing) {
    ivec4 k = ivec4(kind * 255.0 + 0.5);
    float first = angle_of(k.y), second = angle_of(k.z);
    vec3 p = turned(turned(position, axes.zw, second), axes.xy, first) * scale_flags.xyz;
    vec3 n = turned(turned(normal, vec2(0.0), second), vec2(0.0), first) / scale_flags.xyz;
    float s = sin(position_yaw.w), c = cos(position_yaw.w);
    facing = normalize(vec3(c * n.x - s * n.y, s * n.x + c * n.y, n.z));
    return vec3(c * p.x - s * p.y, s * p.x + c * p.y, p.z) + position_yaw.xyz;
}
"""
