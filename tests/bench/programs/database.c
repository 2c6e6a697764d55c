/* Like a database: rows in a B-tree by key, an index by hash, range queries and sorted results. */
#include "bench.h"

#define ORDER 32
#define ROWS 120000
#define BUCKETS 65536

struct row {
    uint64_t key;
    uint32_t group, amount;
    char name[16];
    struct row *next;
};

struct page {
    int count, is_leaf;
    uint64_t keys[ORDER];
    void *slots[ORDER + 1];
};

static struct row rows[ROWS];
static struct row *buckets[BUCKETS];
static struct page *tree;

static struct page *new_page(int is_leaf)
{
    struct page *page = calloc(1, sizeof *page);
    page->is_leaf = is_leaf;
    return page;
}

/* First slot whose key is not below. */
static int search(const struct page *page, uint64_t key)
{
    int low = 0, high = page->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (page->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put(struct page *page, int at, uint64_t key, void *slot, int after)
{
    memmove(page->keys + at + 1, page->keys + at, (page->count - at) * sizeof *page->keys);
    memmove(page->slots + at + after + 1, page->slots + at + after,
            (page->count - at + !page->is_leaf - after) * sizeof *page->slots);
    page->keys[at] = key, page->slots[at + after] = slot, page->count++;
}

static struct page *split(struct page *page, uint64_t *key)
{
    struct page *right = new_page(page->is_leaf);
    int half = page->count / 2, from = page->is_leaf ? half : half + 1;
    *key = page->keys[half];
    right->count = page->count - from;
    memcpy(right->keys, page->keys + from, right->count * sizeof *right->keys);
    memcpy(right->slots, page->slots + from, (right->count + !page->is_leaf) * sizeof(void *));
    page->count = half;
    return right;
}

static struct page *insert(struct page *page, struct row *row, uint64_t *key)
{
    int at = search(page, row->key + !page->is_leaf);
    if (page->is_leaf) {
        put(page, at, row->key, row, 0);
    } else {
        uint64_t up;
        struct page *right = insert(page->slots[at], row, &up);
        if (right)
            put(page, at, up, right, 1);
    }
    return page->count == ORDER - 1 ? split(page, key) : NULL;
}

static void insert_row(struct row *row)
{
    uint64_t key;
    struct page *right = insert(tree, row, &key);
    if (right) {
        struct page *root = new_page(0);
        root->count = 1, root->keys[0] = key, root->slots[0] = tree, root->slots[1] = right;
        tree = root;
    }
    struct row **bucket = &buckets[row->key * 0x9e3779b97f4a7c15 >> 48];
    row->next = *bucket, *bucket = row;
}

static uint64_t range(const struct page *page, uint64_t from, uint64_t to)
{
    uint64_t sum = 0;
    for (int at = search(page, from); at <= page->count; at++) {
        if (page->is_leaf) {
            if (at == page->count || page->keys[at] > to)
                break;
            const struct row *row = page->slots[at];
            sum += row->amount + row->name[row->group % 8];
        } else {
            sum += range(page->slots[at], from, to);
            if (at < page->count && page->keys[at] > to)
                break;
        }
    }
    return sum;
}

static const struct row *find(uint64_t key)
{
    const struct row *row = buckets[key * 0x9e3779b97f4a7c15 >> 48];
    while (row && row->key != key)
        row = row->next;
    return row;
}

static int by_name(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->key > y->key) - (x->key < y->key);
}

int main(void)
{
    uint64_t seed = 71, sum = 0;
    tree = new_page(1);
    for (int i = 0; i < ROWS; i++) {
        rows[i].key = next_random(&seed) >> 8;
        rows[i].group = rows[i].key % 97, rows[i].amount = rows[i].key % 10007;
        snprintf(rows[i].name, sizeof rows[i].name, "name%u", (unsigned)rows[i].key % 50021);
        insert_row(&rows[i]);
    }
    for (int query = 0; query < 60000; query++) {
        uint64_t from = next_random(&seed) >> 8;
        sum = sum * 31 + range(tree, from, from + (1ull << 43));
        const struct row *row = find(rows[from % ROWS].key);
        sum += row->amount + (find(from) != NULL);
    }
    static const struct row *order[ROWS];
    for (int i = 0; i < ROWS; i++)
        order[i] = &rows[i];
    qsort(order, ROWS, sizeof *order, by_name);
    for (int i = 0; i < ROWS; i += 7)
        sum = sum * 3 + order[i]->key;
    result(sum);
}
