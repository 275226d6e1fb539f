/* true: the smallest static program, for fork and exec. */
int main(void) { return 0; }
