#include "shim.h"
#include "../source/test_power.c"
