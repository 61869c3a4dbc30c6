/* Performs the operations of a file (benchmarks/realgo.py, words) with malloc and free, and prints the nanoseconds of
   processor time that one takes. With a second argument the first word of each block is written, too, as a program would. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double processor_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return 1;
    size_t count = (size_t)ftell(file) / 8;
    uint64_t *ops = calloc(count, 8);
    rewind(file);
    if (ops == NULL || fread(ops, 8, count, file) != count) return 1;
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++)
        if ((uint32_t)ops[i] > highest) highest = (uint32_t)ops[i];
    uint64_t **held = calloc((size_t)highest + 1, sizeof *held);
    if (held == NULL) return 1;
    int touch = argc > 2;
    double began = processor_ns();
    for (size_t i = 0; i < count; i++) {
        uint32_t handle = (uint32_t)ops[i];
        if (ops[i] >> DROP_BIT & 1) {
            free(held[handle]);
            continue;
        }
        size_t size = ops[i] >> SIZE_SHIFT & (((uint64_t)1 << (NOSCAN_BIT - SIZE_SHIFT)) - 1);
        held[handle] = malloc(size < 8 ? 8 : size);
        if (touch) *held[handle] = size;
    }
    printf("%.3f\n", (processor_ns() - began) / count);
    return 0;
}
