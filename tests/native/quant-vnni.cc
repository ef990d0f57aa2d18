// The checks of quant.cc on the path for AVX-512 VNNI, its instruction emulated: so it is proven where there is none.
#define ATHANOR_EMULATE_VNNI 1
#include "quant.cc"
