#include <locustcore.h>
int main(void){return 0;}
