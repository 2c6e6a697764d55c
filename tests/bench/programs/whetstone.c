/* Double precision: a mixture of array accesses, conditional jumps, divisions and the
 * transcendental functions of libm, in the proportions of the old Whetstone benchmark. */
#include "bench.h"
#include <math.h>

static double e[4] = {1, -1, -1, -1};
static volatile double t = 0.499975, t1 = 0.50025, t2 = 2;

static void array_parameter(double *v)
{
    for (int i = 0; i < 6; i++) {
        v[0] = (v[0] + v[1] + v[2] - v[3]) * t;
        v[1] = (v[0] + v[1] - v[2] + v[3]) * t;
        v[2] = (v[0] - v[1] + v[2] + v[3]) * t;
        v[3] = (-v[0] + v[1] + v[2] + v[3]) / t2;
    }
}

static __attribute__((noinline)) double three(double x, double y)
{
    x = t * (x + y);
    y = t * (x + y);
    return (x + y) / t2;
}

int main(void)
{
    double x = 0.2, y = 0.2, z = 0, p = 0.75;
    int j = 1;
    for (int round = 0; round < 9000; round++) {
        for (int i = 0; i < 14; i++)
            array_parameter(e);
        for (int i = 0; i < 345; i++)
            j = j == 1 ? 2 : j > 2 ? 0 : 1;
        for (int i = 0; i < 32; i++) {
            x = t * atan(t2 * sin(x) * cos(x) / (cos(x + y) + cos(x - y) - 1));
            y = t * atan(t2 * sin(y) * cos(y) / (cos(x + y) + cos(x - y) - 1));
        }
        for (int i = 0; i < 90; i++)
            z = three(z * 0.5 + 1, i);
        for (int i = 0; i < 93; i++)
            p = sqrt(exp(log(p) / t1));
    }
    result_real(e[3] + x + y + z + p + j);
}
