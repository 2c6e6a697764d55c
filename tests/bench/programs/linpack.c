/* Double precision: solving dense linear equations by elimination with partial pivoting. */
#include "bench.h"
#include <math.h>

#define N 120

static double matrix[N][N], right[N];

static void fill(uint64_t seed)
{
    for (int i = 0; i < N; i++) {
        right[i] = 0;
        for (int j = 0; j < N; j++) {
            matrix[i][j] = (double)(next_random(&seed) >> 40) / (1 << 24) - 0.5;
            right[i] += matrix[i][j];
        }
    }
}

static void axpy(int n, double a, const double *x, double *y)
{
    for (int i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void eliminate(void)
{
    for (int k = 0; k < N - 1; k++) {
        int pivot = k;
        for (int i = k + 1; i < N; i++)
            if (fabs(matrix[i][k]) > fabs(matrix[pivot][k]))
                pivot = i;
        for (int j = k; j < N; j++) {
            double t = matrix[k][j];
            matrix[k][j] = matrix[pivot][j], matrix[pivot][j] = t;
        }
        double t = right[k];
        right[k] = right[pivot], right[pivot] = t;
        for (int i = k + 1; i < N; i++) {
            double factor = -matrix[i][k] / matrix[k][k];
            axpy(N - k, factor, &matrix[k][k], &matrix[i][k]);
            right[i] += factor * right[k];
        }
    }
    for (int i = N - 1; i >= 0; i--) {
        for (int j = i + 1; j < N; j++)
            right[i] -= matrix[i][j] * right[j];
        right[i] /= matrix[i][i];
    }
}

int main(void)
{
    double worst = 0;
    for (int round = 0; round < 140; round++) {
        fill(17 + round);
        eliminate();
        for (int i = 0; i < N; i++)
            worst = fmax(worst, fabs(right[i] - 1));
    }
    printf("checksum %s\n", worst < 1e-8 ? "solved" : "wrong");
}
