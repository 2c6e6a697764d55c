/* An interpreter: a jump through a table for each of its instructions. */
#include "program.h"

enum { PUSH, ADD, SUB, MUL, AND, XOR, SHL, DUP, SWAP, JNZ, DEC, LOAD, STORE, HALT };

static NOINLINE u64 interpret(const u8 *code)
{
	u64 stack[16], cells[4] = { 0 }, *sp = stack;
	for (const u8 *pc = code;;) {
		u64 t;
		switch (*pc++) {
		case PUSH: *sp++ = *pc++; break;
		case ADD: sp--, sp[-1] += *sp; break;
		case SUB: sp--, sp[-1] -= *sp; break;
		case MUL: sp--, sp[-1] *= *sp; break;
		case AND: sp--, sp[-1] &= *sp; break;
		case XOR: sp--, sp[-1] ^= *sp; break;
		case SHL: sp--, sp[-1] <<= *sp & 63; break;
		case DUP: *sp = sp[-1], sp++; break;
		case SWAP: t = sp[-1], sp[-1] = sp[-2], sp[-2] = t; break;
		case JNZ: pc = *--sp ? code + *pc : pc + 1; break;
		case DEC: sp[-1]--; break;
		case LOAD: *sp++ = cells[*pc++]; break;
		case STORE: cells[*pc++] = *--sp; break;
		case HALT: return cells[0];
		default: __builtin_trap();
		}
	}
}

void bytecode(void)
{
	static const u8 code[] = {
		PUSH, 200, STORE, 1,
		/* 4: */ LOAD, 0, PUSH, 31, MUL, LOAD, 1, ADD, DUP, PUSH, 13, SHL, XOR, STORE, 0,
		LOAD, 1, DEC, DUP, STORE, 1, JNZ, 4,
		LOAD, 0, PUSH, 7, SWAP, SUB, PUSH, 255, AND, LOAD, 0, ADD, STORE, 0, HALT,
	};
	print("bytecode", interpret(code));
}
