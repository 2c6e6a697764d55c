/* Double precision: planets that attract each other. */
#include "bench.h"
#include <math.h>

#define BODIES 5

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void advance(double step)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double pull = step / (square * sqrt(square));
            a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
            b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        a->x += step * a->vx, a->y += step * a->vy, a->z += step * a->vz;
    }
}

static double energy(void)
{
    double sum = 0;
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            sum -= a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return sum;
}

int main(void)
{
    for (int i = 0; i < BODIES; i++) {
        double angle = 1.1 * i, far = 3.0 * i * i;
        bodies[i] = (struct body){far * cos(angle), far * sin(angle), 0.1 * i, 0, 0, 0,
                                  i ? 0.01 * i : 40};
        if (i) {
            double speed = sqrt(40 / far);
            bodies[i].vx = -speed * sin(angle), bodies[i].vy = speed * cos(angle);
        }
    }
    for (int i = 0; i < 450000; i++)
        advance(0.0005);
    result_real(energy());
}
