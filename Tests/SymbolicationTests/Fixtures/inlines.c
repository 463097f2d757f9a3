// A C program with a static function inlined into its caller, two levels deep.
#include <stdio.h>
#include <stdlib.h>

static inline int square(int value)
{
    return value * value + rand();
}

static inline int sum_of_squares(int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += square(i);
    return sum;
}

__attribute__((noinline)) int compute(int count)
{
    return sum_of_squares(count) * 2;
}

int main(int argc, char **argv)
{
    (void)argv;
    printf("%d\n", compute(argc));
    return 0;
}
