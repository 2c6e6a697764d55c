//! The programs, as words of machine code with their assembly beside them.

/// Rounds that [`MACHINE`] goes: enough for what it does to become hot.
pub(crate) const ROUNDS: usize = 40;

/// Machine mode, two harts. Each round, the first accesses device registers in every width,
/// stores to a watched page, changes code that it executes, sleeps until its timer is due, and
/// exchanges interrupts with the second.
#[rustfmt::skip]
pub(crate) const MACHINE: &[u32] = &[
    0xf140_2573, // csrr a0, mhartid
    0x1000_0437, // lui s0, 0x10000
    0x0000_4497, // auipc s1, 0x4
    0xff84_8493, // add s1, s1, -8
    0x0000_0297, // auipc t0, 0x0
    0x1502_8293, // add t0, t0, 336
    0x3052_9073, // csrw mtvec, t0
    0x0000_0913, // li s2, 0
    0x0280_0993, // li s3, 40
    0x0010_0293, // li t0, 1
    0x03f2_9293, // sll t0, t0, 0x3f
    0x30a2_a073, // csrs menvcfg, t0
    0x0080_0293, // li t0, 8
    0x3042_a073, // csrs mie, t0
    0x0e05_1e63, // bnez a0, second
    // round:
    0x0019_0913, // add s2, s2, 1
    0x0110_0293, // li t0, 17
    0x0054_0023, // sb t0, 0(s0)
    0x0054_1123, // sh t0, 2(s0)
    0x0054_2223, // sw t0, 4(s0)
    0x0054_3423, // sd t0, 8(s0)
    0x0104_0303, // lb t1, 16(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0114_4303, // lbu t1, 17(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0124_1303, // lh t1, 18(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0154_2303, // lw t1, 21(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0184_3303, // ld t1, 24(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0204_0313, // add t1, s0, 32
    0x0053_23af, // amoadd.w t2, t0, (t1)
    0x0054_a423, // sw t0, 8(s1)
    0x0054_b823, // sd t0, 16(s1)
    0x0000_1337, // lui t1, 0x1
    0x0093_0333, // add t1, t1, s1
    0x0053_3023, // sd t0, 0(t1)
    0x0000_0317, // auipc t1, 0x0
    0x0f03_0313, // add t1, t1, 240
    0x0010_03b7, // lui t2, 0x100
    0x5133_839b, // addw t2, t2, 1299
    0x0073_2023, // sw t2, 0(t1)
    0x0000_100f, // fence.i
    0x0d80_00ef, // jal patch
    0x02a4_3423, // sd a0, 40(s0)
    0x02a0_03b7, // lui t2, 0x2a00
    0x5133_839b, // addw t2, t2, 1299
    0x0073_2023, // sw t2, 0(t1)
    0x0000_100f, // fence.i
    0x0c00_00ef, // jal patch
    0x02a4_3423, // sd a0, 40(s0)
    0xc010_2373, // rdtime t1
    0x0323_0313, // add t1, t1, 50
    0x14d3_1073, // csrw stimecmp, t1
    0x0200_0293, // li t0, 32
    0x3042_a073, // csrs mie, t0
    0x1050_0073, // wfi
    0xc010_23f3, // rdtime t2
    0x0063_b3b3, // sltu t2, t2, t1
    0x0274_3823, // sd t2, 48(s0)
    0x3440_23f3, // csrr t2, mip
    0x0274_3823, // sd t2, 48(s0)
    0x3042_b073, // csrc mie, t0
    0x0010_0293, // li t0, 1
    0x0254_2e23, // sw t0, 60(s0)
    0x0184_a303, // lw t1, 24(s1)
    0x0123_0a63, // beq t1, s2, round+0xe4
    0x1050_0073, // wfi
    0x3004_6073, // csrs mstatus, 8
    0x3004_7073, // csrc mstatus, 8
    0xfedf_f06f, // j round+0xcc
    0x0004_a303, // lw t1, 0(s1)
    0x0464_2023, // sw t1, 64(s0)
    0xf139_4ae3, // blt s2, s3, round
    0x0404_2223, // sw zero, 68(s0)
    0x0000_006f, // j round+0xf4
    // second:
    0x0019_0913, // add s2, s2, 1
    0x01c4_a303, // lw t1, 28(s1)
    0x0123_0a63, // beq t1, s2, second+0x1c
    0x1050_0073, // wfi
    0x3004_6073, // csrs mstatus, 8
    0x3004_7073, // csrc mstatus, 8
    0xfedf_f06f, // j second+0x4
    0x00a0_0293, // li t0, 10
    0x0054_a3af, // amoadd.w t2, t0, (s1)
    0x0204_2e23, // sw zero, 60(s0)
    0xfd9f_f06f, // j second
    // handler:
    0x3420_2e73, // csrr t3, mcause
    0x05c4_3423, // sd t3, 72(s0)
    0xf140_2e73, // csrr t3, mhartid
    0x03c4_2c23, // sw t3, 56(s0)
    0x002e_1e13, // sll t3, t3, 0x2
    0x01c4_8eb3, // add t4, s1, t3
    0x018e_ae03, // lw t3, 24(t4)
    0x001e_0e13, // add t3, t3, 1
    0x01ce_ac23, // sw t3, 24(t4)
    0x3020_0073, // mret
    // patch:
    0x0010_0513, // li a0, 1
    0x0000_8067, // ret
];

/// Supervisor mode with firmware calls, two harts: the first starts the second, waits until that
/// one has stopped, makes a call that does not exist, and switches off. The second prints a byte.
#[rustfmt::skip]
pub(crate) const FIRMWARE: &[u32] = &[
    0x1000_0437, // lui s0, 0x10000
    0x0048_58b7, // lui a7, 0x485
    0x34d8_889b, // addw a7, a7, 845
    0x0000_0813, // li a6, 0
    0x0010_0513, // li a0, 1
    0x0000_0597, // auipc a1, 0x0
    0x05c5_8593, // add a1, a1, 92
    0x04d0_0613, // li a2, 77
    0x0000_0073, // ecall
    0x00a4_3023, // sd a0, 0(s0)
    0x0048_58b7, // lui a7, 0x485
    0x34d8_889b, // addw a7, a7, 845
    0x0020_0813, // li a6, 2
    0x0010_0513, // li a0, 1
    0x0000_0073, // ecall
    0x0010_0293, // li t0, 1
    0xfe55_94e3, // bne a1, t0, 80000028 <second-0x48>
    0x0012_38b7, // lui a7, 0x123
    0x4568_889b, // addw a7, a7, 1110
    0x0000_0073, // ecall
    0x00a4_3423, // sd a0, 8(s0)
    0x5352_58b7, // lui a7, 0x53525
    0x3548_889b, // addw a7, a7, 852
    0x0000_0813, // li a6, 0
    0x0000_0513, // li a0, 0
    0x0000_0593, // li a1, 0
    0x0000_0073, // ecall
    0x0000_006f, // j 8000006c <second-0x4>
    // second:
    0x1000_0437, // lui s0, 0x10000
    0x00a4_3823, // sd a0, 16(s0)
    0x00b4_3823, // sd a1, 16(s0)
    0x4442_48b7, // lui a7, 0x44424
    0x34e8_889b, // addw a7, a7, 846
    0x0020_0813, // li a6, 2
    0x0420_0513, // li a0, 66
    0x0000_0073, // ecall
    0x0048_58b7, // lui a7, 0x485
    0x34d8_889b, // addw a7, a7, 845
    0x0010_0813, // li a6, 1
    0x0000_0073, // ecall
    0x0000_006f, // j second+0x30
];

/// Rounds that [`SUPERVISOR`] goes.
pub(crate) const SUPERVISOR_ROUNDS: usize = 40;

/// Supervisor mode, one hart. Each round, it accesses device registers in every width, by
/// compressed instructions too, changes code that it executes, and waits for its timer and for a
/// device's interrupt. What it loads with a sign is positive: KVM of Linux 6.12 forgets the sign.
#[rustfmt::skip]
pub(crate) const SUPERVISOR: &[u32] = &[
    0x1000_0437, // lui s0, 0x10000
    0x0000_5497, // auipc s1, 0x5
    0xffc4_8493, // add s1, s1, -4
    0x0000_0297, // auipc t0, 0x0
    0x1402_8293, // add t0, t0, 320
    0x1052_9073, // csrw stvec, t0
    0x0000_0913, // li s2, 0
    0x0280_0993, // li s3, 40
    // round:
    0x0019_0913, // add s2, s2, 1
    0x0110_0293, // li t0, 17
    0x0054_0023, // sb t0, 0(s0)
    0x0054_1123, // sh t0, 2(s0)
    0x0054_2223, // sw t0, 4(s0)
    0x0054_3423, // sd t0, 8(s0)
    0x0904_0303, // lb t1, 144(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0114_4303, // lbu t1, 17(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0924_1303, // lh t1, 146(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0144_5303, // lhu t1, 20(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0944_2303, // lw t1, 148(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0184_6303, // lwu t1, 24(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0184_3303, // ld t1, 24(s0)
    0x0064_3823, // sd t1, 16(s0)
    0x0804_0693, // add a3, s0, 128
    0xe81c_42dc, // lw a5, 4(a3); sd a5, 16(s0)
    0xd01c_6c1c, // ld a5, 24(s0); sw a5, 32(s0)
    0x0000_0317, // auipc t1, 0x0
    0x0ec3_0313, // add t1, t1, 236
    0x0010_03b7, // lui t2, 0x100
    0x5133_839b, // addw t2, t2, 1299
    0x0073_2023, // sw t2, 0(t1)
    0x0000_100f, // fence.i
    0x0d40_00ef, // jal patch
    0x02a4_3423, // sd a0, 40(s0)
    0x02a0_03b7, // lui t2, 0x2a00
    0x5133_839b, // addw t2, t2, 1299
    0x0073_2023, // sw t2, 0(t1)
    0x0000_100f, // fence.i
    0x0bc0_00ef, // jal patch
    0x02a4_3423, // sd a0, 40(s0)
    0x0124_b023, // sd s2, 0(s1)
    0x0054_b3af, // amoadd.d t2, t0, (s1)
    0x0004_b383, // ld t2, 0(s1)
    0x0274_3423, // sd t2, 40(s0)
    0x5449_58b7, // lui a7, 0x54495
    0xd458_889b, // addw a7, a7, -699
    0x0000_0813, // li a6, 0
    0xc010_2573, // rdtime a0
    0x0645_0513, // add a0, a0, 100
    0x0005_0a13, // mv s4, a0
    0x0000_0073, // ecall
    0x0200_0293, // li t0, 32
    0x1042_9073, // csrw sie, t0
    0x1050_0073, // wfi
    0x1440_23f3, // csrr t2, sip
    0x0053_f3b3, // and t2, t2, t0
    0xfe03_8ae3, // beqz t2, round+0xc8
    0x0274_3823, // sd t2, 48(s0)
    0xc010_23f3, // rdtime t2
    0x0143_b3b3, // sltu t2, t2, s4
    0x0274_3823, // sd t2, 48(s0)
    0xfff0_0513, // li a0, -1
    0x0000_0073, // ecall
    0x1440_23f3, // csrr t2, sip
    0x0274_3823, // sd t2, 48(s0)
    0x2000_0293, // li t0, 512
    0x1042_9073, // csrw sie, t0
    0x0204_2e23, // sw zero, 60(s0)
    0x0084_b303, // ld t1, 8(s1)
    0x0123_0a63, // beq t1, s2, round+0x11c
    0x1050_0073, // wfi
    0x1001_6073, // csrs sstatus, 2
    0x1001_7073, // csrc sstatus, 2
    0xfedf_f06f, // j round+0x104
    0x1040_1073, // csrw sie, zero
    0xef39_40e3, // blt s2, s3, round
    0x0404_2223, // sw zero, 68(s0)
    0x0000_006f, // j round+0x128
    // handler:
    0x1420_2e73, // csrr t3, scause
    0x05c4_3423, // sd t3, 72(s0)
    0x0204_2c23, // sw zero, 56(s0)
    0x0084_be03, // ld t3, 8(s1)
    0x001e_0e13, // add t3, t3, 1
    0x01c4_b423, // sd t3, 8(s1)
    0x1020_0073, // sret
    // patch:
    0x0010_0513, // li a0, 1
    0x0000_8067, // ret
];

/// Tells the time, and ends the run, for ever.
#[rustfmt::skip]
pub(crate) const CLOCK: &[u32] = &[
    0x1000_0437, // lui s0, 0x10000
    0xc010_22f3, // rdtime t0
    0x0054_3823, // sd t0, 16(s0)
    0x0404_2223, // sw zero, 68(s0)
    0xff5f_f06f, // j .-12
];

/// Machine mode: a jump to where no memory is; the trap handler is not there either.
pub(crate) const CRASH: &[u32] = &[
    0x0000_0067, // jr zero
];

/// Machine mode: a loop that touches nothing.
pub(crate) const FOREVER: &[u32] = &[
    0x0015_0513, // addi a0, a0, 1
    0xffdf_f06f, // j .-4
];

/// Machine mode: waits for an interrupt that does not come.
pub(crate) const SLEEP: &[u32] = &[
    0x1050_0073, // wfi
    0xffdf_f06f, // j .-4
];

/// Machine mode: has a device change `patch`, and calls it, 40 times.
#[rustfmt::skip]
pub(crate) const DMA: &[u32] = &[
    0x1000_0437, // lui s0, 0x10000
    0x0280_0913, // li s2, 40
    // round:
    0x0404_2623, // sw zero, 76(s0)
    0x0000_100f, // fence.i
    0x0180_00ef, // jal patch
    0x02a4_3423, // sd a0, 40(s0)
    0xfff9_0913, // addi s2, s2, -1
    0xfe09_16e3, // bnez s2, round
    0x0404_2223, // sw zero, 68(s0)
    0x0000_006f, // j .
    // patch:
    0x0000_0513, // li a0, 0
    0x0000_8067, // ret
];
