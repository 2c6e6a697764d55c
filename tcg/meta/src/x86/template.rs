//! Templates: one line of the table for a family of rows.

/// One row of a template: what to add to the opcode, what to append to the mnemonic, the operands
/// and the attributes.
pub(super) type Part = (u8, &'static str, &'static str, &'static str);

const ALU: &[Part] = &[
    (0, "", "Eb,Gb", ""),
    (1, "", "Ev,Gv", ""),
    (2, "", "Gb,Eb", ""),
    (3, "", "Gv,Ev", ""),
    (4, "", "AL,Ib", ""),
    (5, "", "rAX,Iz", ""),
];
const FP2: &[Part] = &[(0, "ps", "Vps,Hps,Wps", "np ?SSE"), (0, "pd", "Vpd,Hpd,Wpd", "66 ?SSE2")];
const FP4: &[Part] = &[
    (0, "ps", "Vps,Hps,Wps", "np ?SSE"),
    (0, "pd", "Vpd,Hpd,Wpd", "66 ?SSE2"),
    (0, "ss", "Vss,Hss,Wss", "f3 ?SSE"),
    (0, "sd", "Vsd,Hsd,Wsd", "f2 ?SSE2"),
];
const FP4_IMM: &[Part] = &[
    (0, "ps", "Vps,Hps,Wps,Ib", "np ?SSE"),
    (0, "pd", "Vpd,Hpd,Wpd,Ib", "66 ?SSE2"),
    (0, "ss", "Vss,Hss,Wss,Ib", "f3 ?SSE"),
    (0, "sd", "Vsd,Hsd,Wsd,Ib", "f2 ?SSE2"),
];
const FP4_UNARY: &[Part] = &[
    (0, "ps", "Vps,Wps", "np ?SSE"),
    (0, "pd", "Vpd,Wpd", "66 ?SSE2"),
    (0, "ss", "Vss,Hss,Wss", "f3 ?SSE"),
    (0, "sd", "Vsd,Hsd,Wsd", "f2 ?SSE2"),
];
const FPS_UNARY: &[Part] = &[(0, "ps", "Vps,Wps", "np ?SSE"), (0, "ss", "Vss,Hss,Wss", "f3 ?SSE")];
const MMX: &[Part] = &[(0, "", "Pq,Qq", "np mmx ?MMX"), (0, "", "Vx,Hx,Wx", "66 ?SSE2")];
const MMX_SSE: &[Part] = &[(0, "", "Pq,Qq", "np mmx ?SSE"), (0, "", "Vx,Hx,Wx", "66 ?SSE2")];
const MMX_SSE2: &[Part] = &[(0, "", "Pq,Qq", "np mmx ?SSE2"), (0, "", "Vx,Hx,Wx", "66 ?SSE2")];
const MMX_DWORD: &[Part] = &[(0, "", "Pq,Qd", "np mmx ?MMX"), (0, "", "Vx,Hx,Wx", "66 ?SSE2")];
const MMX_SHIFT: &[Part] = &[(0, "", "Pq,Qq", "np mmx ?MMX"), (0, "", "Vx,Hx,Wdq", "66 ?SSE2")];
const MMX_SSSE3: &[Part] = &[(0, "", "Pq,Qq", "np mmx ?SSSE3"), (0, "", "Vx,Hx,Wx", "66 ?SSSE3")];
const MMX_UNARY: &[Part] = &[(0, "", "Pq,Qq", "np mmx ?SSSE3"), (0, "", "Vx,Wx", "66 ?SSSE3")];
const FMA: &[Part] =
    &[(0, "ps", "Vx,Hx,Wx", "VEX 66 W0 ?FMA"), (0, "pd", "Vx,Hx,Wx", "VEX 66 W1 ?FMA")];
const FMA_SCALAR: &[Part] =
    &[(0, "ss", "Vss,Hss,Wss", "VEX 66 W0 ?FMA"), (0, "sd", "Vsd,Hsd,Wsd", "VEX 66 W1 ?FMA")];

/// The parts of the template `name`, written with its `@`.
pub(super) fn parts(name: &str) -> Option<&'static [Part]> {
    Some(match name {
        "@alu" => ALU,
        "@fp2" => FP2,
        "@fp4" => FP4,
        "@fp4i" => FP4_IMM,
        "@fp4u" => FP4_UNARY,
        "@fpsu" => FPS_UNARY,
        "@mmx" => MMX,
        "@mmxe" => MMX_SSE,
        "@mmx2" => MMX_SSE2,
        "@mmxd" => MMX_DWORD,
        "@mmxs" => MMX_SHIFT,
        "@mmx3" => MMX_SSSE3,
        "@mmx3u" => MMX_UNARY,
        "@fma" => FMA,
        "@fma1" => FMA_SCALAR,
        _ => return None,
    })
}
