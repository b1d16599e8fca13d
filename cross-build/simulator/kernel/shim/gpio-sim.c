/*
 * Debian's kernels have no simulated interrupts (CONFIG_IRQ_SIM), so that they become part of the module, and it uses none of
 * what the kernel keeps to itself: irq_to_desc is not exported, and generic_handle_irq_safe takes the number.
 */
#include "shim.h"
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irq_sim.h>
#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(symbol)
#define irq_to_desc(number) (number)
#define handle_simple_irq(number) generic_handle_irq_safe(number)
#include "../source/irq_sim.c"
#include "../source/gpio-sim.c"
