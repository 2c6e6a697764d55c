/* Like a compiler: reads expressions, makes trees, folds them, and gives out code for a stack. */
#include "bench.h"

enum kind { NUMBER, NAME, ADD, SUBTRACT, MULTIPLY, AND, SHIFT };

struct node {
    enum kind kind;
    uint32_t value;
    struct node *left, *right;
};

static struct node pool[4096];
static size_t used;
static char text[65536];
static const char *at;

static struct node *make(enum kind kind, uint32_t value, struct node *left, struct node *right)
{
    struct node *node = &pool[used++ % 4096];
    *node = (struct node){kind, value, left, right};
    return node;
}

static struct node *expression(int level);

static struct node *leaf(void)
{
    if (*at == '(') {
        at++;
        struct node *inner = expression(0);
        at++;
        return inner;
    }
    if (*at >= 'a' && *at <= 'z')
        return make(NAME, *at++ - 'a', NULL, NULL);
    uint32_t value = 0;
    while (*at >= '0' && *at <= '9')
        value = value * 10 + (*at++ - '0');
    return make(NUMBER, value, NULL, NULL);
}

static int binds(char operator, enum kind *kind)
{
    switch (operator) {
    case '&': *kind = AND; return 1;
    case '<': *kind = SHIFT; return 2;
    case '+': *kind = ADD; return 3;
    case '-': *kind = SUBTRACT; return 3;
    case '*': *kind = MULTIPLY; return 4;
    default: return 0;
    }
}

static struct node *expression(int level)
{
    struct node *left = leaf();
    enum kind kind;
    for (int power; (power = binds(*at, &kind)) > level;) {
        at++;
        left = make(kind, 0, left, expression(power));
    }
    return left;
}

static uint32_t apply(enum kind kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case AND: return a & b;
    default: return a << (b & 31);
    }
}

static struct node *fold(struct node *node)
{
    if (node->kind <= NAME)
        return node;
    node->left = fold(node->left), node->right = fold(node->right);
    if (node->left->kind == NUMBER && node->right->kind == NUMBER)
        *node = (struct node){NUMBER, apply(node->kind, node->left->value, node->right->value),
                              NULL, NULL};
    else if (node->kind == MULTIPLY && node->right->kind == NUMBER && node->right->value == 1)
        return node->left;
    return node;
}

static uint64_t emit(const struct node *node, uint64_t hash)
{
    if (node->left)
        hash = emit(node->right, emit(node->left, hash));
    return (hash ^ (node->kind << 8 | (node->value & 255))) * 0x100000001b3;
}

static void write_text(uint64_t *seed, size_t length)
{
    size_t n = 0;
    int open = 0;
    while (n < length) {
        uint64_t random = next_random(seed);
        if (random % 5 == 0 && open < 12)
            text[n++] = '(', open++;
        if (random >> 8 & 1)
            text[n++] = 'a' + (random >> 16) % 26;
        else
            n += sprintf(text + n, "%u", (unsigned)(random >> 20) % 1000);
        while (open && (random = next_random(seed)) % 3 == 0)
            text[n++] = ')', open--;
        text[n++] = "+-*&<"[(random >> 9) % 5];
    }
    text[n++] = '7';
    while (open--)
        text[n++] = ')';
    text[n] = 0;
}

int main(void)
{
    uint64_t seed = 67, sum = 0;
    for (int unit = 0; unit < 12; unit++) {
        write_text(&seed, 12000);
        for (int round = 0; round < 55; round++) {
            /* A pass for each hundred tokens keeps the trees within the pool. */
            for (at = text; *at;) {
                used = 0;
                sum = emit(fold(expression(4)), sum + round);
                while (*at && strchr("+-*&<)", *at))
                    at++;
            }
        }
    }
    result(sum);
}
