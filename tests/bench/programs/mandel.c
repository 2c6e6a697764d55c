/* Double precision: the Mandelbrot set. */
#include "bench.h"

#define SIDE 240

int main(void)
{
    uint64_t sum = 0;
    for (int py = 0; py < SIDE; py++)
        for (int px = 0; px < SIDE; px++) {
            double cx = px * 3.0 / SIDE - 2, cy = py * 2.0 / SIDE - 1, x = 0, y = 0;
            int n = 0;
            for (; n < 2000; n++) {
                double xx = x * x, yy = y * y;
                if (xx + yy > 4)
                    break;
                y = 2 * x * y + cy;
                x = xx - yy + cx;
            }
            sum = sum * 31 + (n >= 2000);
        }
    result(sum);
}
