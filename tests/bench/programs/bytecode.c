/* A bytecode interpreter, by a switch: the program it runs counts Collatz steps. */
#include "bench.h"

enum { PUSH, LOAD, STORE, ADD, MUL, SHR, AND, JUMP_IF, JUMP, LESS, STEP, NEXT };

static const int8_t program[] = {
    PUSH, 1, STORE, 0,                                        /*  0: n = 1          */
    LOAD, 0, STORE, 1,                                        /*  4: x = n          */
    LOAD, 1, PUSH, 2, LESS, JUMP_IF, 44,                      /*  8: while x >= 2   */
    STEP,                                                     /* 15:  count         */
    LOAD, 1, PUSH, 1, AND, JUMP_IF, 32,                       /* 16:  if x is even  */
    LOAD, 1, PUSH, 1, SHR, STORE, 1, JUMP, 8,                 /* 23:   x /= 2       */
    LOAD, 1, PUSH, 3, MUL, PUSH, 1, ADD, STORE, 1, JUMP, 8,   /* 32:  else x = 3x+1 */
    NEXT, 4,                                                  /* 44: next n         */
};

static uint64_t run(const int8_t *code, int64_t limit)
{
    int64_t stack[16], variable[4] = {0}, *top = stack;
    uint64_t steps = 0;
    for (const int8_t *pc = code;;) {
        switch (*pc++) {
        case PUSH: *top++ = *pc++; break;
        case LOAD: *top++ = variable[*pc++]; break;
        case STORE: variable[*pc++] = *--top; break;
        case ADD: top--, top[-1] += top[0]; break;
        case MUL: top--, top[-1] *= top[0]; break;
        case SHR: top--, top[-1] >>= top[0]; break;
        case AND: top--, top[-1] &= top[0]; break;
        case LESS: top--, top[-1] = top[-1] < top[0]; break;
        case JUMP_IF: pc = *--top ? code + *pc : pc + 1; break;
        case JUMP: pc = code + *pc; break;
        case STEP: steps++; break;
        case NEXT:
            if (++variable[0] > limit)
                return steps;
            pc = code + *pc;
            break;
        }
    }
}

int main(void)
{
    result(run(program, 28000));
}
