/* Calls and recursion: Fibonacci, Ackermann, Hanoi and a binary tree. */
#include "bench.h"

static __attribute__((noinline, optimize("no-optimize-sibling-calls"))) uint64_t
fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __attribute__((noinline, optimize("no-optimize-sibling-calls"))) unsigned
ackermann(unsigned m, unsigned n)
{
    if (!m)
        return n + 1;
    return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

static __attribute__((noinline)) uint64_t hanoi(int n, int from, int to)
{
    if (!n)
        return 0;
    int other = 6 - from - to;
    return hanoi(n - 1, from, other) * 3 + (from ^ to) + hanoi(n - 1, other, to);
}

struct node {
    struct node *left, *right;
    uint64_t key;
};

static struct node pool[20000];

static struct node *insert(struct node *tree, struct node *leaf)
{
    if (!tree)
        return leaf;
    if (leaf->key < tree->key)
        tree->left = insert(tree->left, leaf);
    else
        tree->right = insert(tree->right, leaf);
    return tree;
}

static uint64_t fold(const struct node *tree)
{
    return tree ? fold(tree->left) * 3 + tree->key + fold(tree->right) * 5 : 1;
}

int main(void)
{
    uint64_t seed = 23, sum = fibonacci(34) + ackermann(2, 900) + ackermann(3, 8) + hanoi(21, 1, 3);
    struct node *tree = NULL;
    for (size_t i = 0; i < sizeof pool / sizeof *pool; i++) {
        pool[i].key = next_random(&seed);
        tree = insert(tree, &pool[i]);
    }
    for (int round = 0; round < 60; round++)
        sum = sum * 31 + fold(tree);
    result(sum);
}
