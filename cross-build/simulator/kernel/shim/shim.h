/*
 * Included before each driver. The tables of device ids can't be built: Debian's modpost for this machine has the layout of
 * this machine's structures. The simulator loads the drivers by name, so that nothing needs the tables.
 */
#include <linux/module.h>
#undef MODULE_DEVICE_TABLE
#define MODULE_DEVICE_TABLE(type, name)
