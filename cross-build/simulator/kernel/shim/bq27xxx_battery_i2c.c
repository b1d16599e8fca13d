#include "shim.h"
#include "../source/bq27xxx_battery_i2c.c"
