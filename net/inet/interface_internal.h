/* Interfaces: for the engine alone. */
#pragma once

/* interface_flush - transmit what lwIP had to say.  Context: core locked. */
void interface_flush(void);
