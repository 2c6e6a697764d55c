/*
 * Executes the F and D instructions of riscv64 on random operands, and prints what they did.
 *
 * One line per execution:
 *
 *     mnemonic rm a b c result fflags
 *
 * all numbers in hexadecimal, registers as 64 bits, rm as the dynamic rounding mode. Operands that
 * an instruction does not have are printed as well. fp_oracle.rs runs this program on
 * qemu-riscv64, or it can be run on real hardware, and compares the lines with what the software
 * floating point of the engine makes of the same operands.
 *
 *     riscv64-linux-gnu-gcc -O1 -static -o fp_oracle fp_oracle.c
 *     qemu-riscv64 fp_oracle [executions per instruction and rounding mode] [seed]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed;

/* xorshift64* */
static uint64_t any(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t n)
{
    return (any() >> 11) % n;
}

static uint64_t low_ones(unsigned n)
{
    return n ? UINT64_MAX >> (64 - n) : 0;
}

static uint64_t fraction(unsigned bits)
{
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return low_ones(bits);
    case 2:
        return UINT64_C(1) << below(bits);
    case 3:
        return low_ones(bits) ^ UINT64_C(1) << below(bits);
    case 4:
        return low_ones(bits) >> below(bits);
    case 5:
        return any() << below(bits) & low_ones(bits);
    default:
        return any() & low_ones(bits);
    }
}

static uint64_t exponent(unsigned bits)
{
    uint64_t max = low_ones(bits), bias = max / 2, exp;

    switch (below(16)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return max;
    case 3:
        return 1 + below(3);
    case 4:
        return max - 1 - below(3);
    case 5:
    case 6:
        exp = bias + below(70);
        return exp < max ? exp : max;
    case 7:
        return bias - below(bias < 160 ? bias : 160);
    case 8:
        return bias + below(4) - 2;
    case 9:
        return bias / 2 + below(4);
    default:
        return below(max + 1);
    }
}

static uint64_t number(unsigned exp_bits, unsigned frac_bits)
{
    uint64_t bits = below(2) << exp_bits | exponent(exp_bits);

    return bits << frac_bits | fraction(frac_bits);
}

/* A register with a double, or with a single that is boxed but for one time in sixteen. */
static uint64_t operand(int is_double)
{
    if (is_double)
        return number(11, 52);
    uint64_t box = below(16) ? UINT64_C(0xffffffff) : any() & UINT64_C(0xffffffff);
    return box << 32 | number(8, 23);
}

/* Another operand, often near to the first in magnitude. */
static uint64_t companion(int is_double, uint64_t first)
{
    uint64_t other = operand(is_double);

    if (below(2))
        return other;
    unsigned frac_bits = is_double ? 52 : 23;
    uint64_t distance = below(frac_bits + 4) << frac_bits;
    uint64_t near = below(2) ? first + distance : first - distance;
    return (near & ~low_ones(frac_bits)) | (other & low_ones(frac_bits));
}

static uint64_t integer(void)
{
    uint64_t bits = below(2) ? any() >> below(64) : UINT64_C(1) << below(64);

    bits += below(3) - 1;
    return below(2) ? bits : -bits;
}

static uint64_t a, b, c, result, flags;

/* The operands in ft0 to ft2, the rounding mode set, no flag raised; then the instruction. */
#define EXECUTE(rm, insn, output, input)                                                         \
    asm volatile("fld ft0, %[a]\n\tfld ft1, %[b]\n\tfld ft2, %[c]\n\t"                           \
                 "fsrm %[mode]\n\tfsflags zero\n\t" insn "\n\tfrflags %[flags]\n\tfsrm zero"     \
                 : output, [flags] "=&r"(flags)                                                  \
                 : [a] "m"(a), [b] "m"(b), [c] "m"(c), [mode] "r"(rm) input                      \
                 : "ft0", "ft1", "ft2", "ft3")

#define TO_F(name, operands)                                                                     \
    static void name(uint64_t rm)                                                                \
    {                                                                                            \
        EXECUTE(rm, operands "\n\tfsd ft3, %[result]", [result] "=m"(result), );                 \
    }
#define TO_X(name, operands)                                                                     \
    static void name(uint64_t rm)                                                                \
    {                                                                                            \
        EXECUTE(rm, operands, [result] "=&r"(result), );                                         \
    }
#define COMMA ,
#define FROM_X(name, operands)                                                                   \
    static void name(uint64_t rm)                                                                \
    {                                                                                            \
        EXECUTE(rm, operands "\n\tfsd ft3, %[result]", [result] "=m"(result),                    \
                COMMA [integer] "r"(a));                                                         \
    }


#define ONE(name, fmt) TO_F(name##_##fmt, #name "." #fmt " ft3, ft0")
#define TWO(name, fmt) TO_F(name##_##fmt, #name "." #fmt " ft3, ft0, ft1")
#define THREE(name, fmt) TO_F(name##_##fmt, #name "." #fmt " ft3, ft0, ft1, ft2")
#define RELATION(name, fmt) TO_X(name##_##fmt, #name "." #fmt " %[result], ft0, ft1")
#define CLASS(name, fmt) TO_X(name##_##fmt, #name "." #fmt " %[result], ft0")
#define TO_INT(to, fmt) TO_X(fcvt_##to##_##fmt, "fcvt." #to "." #fmt " %[result], ft0, dyn")
/* Not all conversions take a rounding mode in all assemblers: the default is dynamic. */
#define FROM_INT(from, fmt) FROM_X(fcvt_##fmt##_##from, "fcvt." #fmt "." #from " ft3, %[integer]")

#define FOR_EACH_NAMED(F, fmt)                                                                   \
    F(fmt, ONE, fsqrt)                                                                           \
    F(fmt, TWO, fadd)                                                                            \
    F(fmt, TWO, fsub)                                                                            \
    F(fmt, TWO, fmul)                                                                            \
    F(fmt, TWO, fdiv)                                                                            \
    F(fmt, TWO, fmin)                                                                            \
    F(fmt, TWO, fmax)                                                                            \
    F(fmt, TWO, fsgnj)                                                                           \
    F(fmt, TWO, fsgnjn)                                                                          \
    F(fmt, TWO, fsgnjx)                                                                          \
    F(fmt, THREE, fmadd)                                                                         \
    F(fmt, THREE, fmsub)                                                                         \
    F(fmt, THREE, fnmsub)                                                                        \
    F(fmt, THREE, fnmadd)                                                                        \
    F(fmt, RELATION, feq)                                                                        \
    F(fmt, RELATION, flt)                                                                        \
    F(fmt, RELATION, fle)                                                                        \
    F(fmt, CLASS, fclass)

#define FOR_EACH_INTEGER(F, fmt) F(fmt, w) F(fmt, wu) F(fmt, l) F(fmt, lu)

#define DEFINE(fmt, form, name) form(name, fmt)
#define DEFINE_INTEGER(fmt, type) TO_INT(type, fmt) FROM_INT(type, fmt)

FOR_EACH_NAMED(DEFINE, s)
FOR_EACH_NAMED(DEFINE, d)
FOR_EACH_INTEGER(DEFINE_INTEGER, s)
FOR_EACH_INTEGER(DEFINE_INTEGER, d)
TO_F(fcvt_s_d, "fcvt.s.d ft3, ft0")
TO_F(fcvt_d_s, "fcvt.d.s ft3, ft0")

struct instruction {
    const char *mnemonic;
    void (*execute)(uint64_t rm);
    /* Format of the operands: 's' or 'd', 'x' for an integer. */
    char operands;
};

#define ENTRY(fmt, form, name) {#name "." #fmt, name##_##fmt, #fmt[0]},
#define ENTRY_INTEGER(fmt, type)                                                                 \
    {"fcvt." #type "." #fmt, fcvt_##type##_##fmt, #fmt[0]},                                      \
        {"fcvt." #fmt "." #type, fcvt_##fmt##_##type, 'x'},

static const struct instruction instructions[] = {
    FOR_EACH_NAMED(ENTRY, s)
    FOR_EACH_NAMED(ENTRY, d)
    FOR_EACH_INTEGER(ENTRY_INTEGER, s)
    FOR_EACH_INTEGER(ENTRY_INTEGER, d)
    {"fcvt.s.d", fcvt_s_d, 'd'},
    {"fcvt.d.s", fcvt_d_s, 's'},
};

/* A third operand that cancels most of the product, as long as that is an ordinary number. */
static uint64_t minus_product(int is_double)
{
    if (is_double)
        fmul_d(0);
    else
        fmul_s(0);
    return result ^ (is_double ? UINT64_C(1) << 63 : UINT64_C(1) << 31);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1000;

    seed = argc > 2 ? strtoull(argv[2], NULL, 0) | 1 : 1;
    for (size_t i = 0; i < sizeof instructions / sizeof instructions[0]; i++) {
        const struct instruction *insn = &instructions[i];
        int is_double = insn->operands == 'd';

        for (long n = 0; n < count * 5; n++) {
            unsigned rm = n % 5;

            a = insn->operands == 'x' ? integer() : operand(is_double);
            b = companion(is_double, a);
            c = below(4) ? companion(is_double, a) : minus_product(is_double);
            insn->execute(rm);
            printf("%s %u %lx %lx %lx %lx %lx\n", insn->mnemonic, rm, a, b, c, result, flags);
        }
    }
    return 0;
}
