#include "shim.h"
#undef pr_fmt
#include "../source/i2c-stub.c"
