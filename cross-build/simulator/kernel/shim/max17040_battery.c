#include "shim.h"
#include "../source/max17040_battery.c"
