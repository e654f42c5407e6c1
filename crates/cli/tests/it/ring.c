/* ring COMMAND...: executes the command with an io_uring as its standard input, in which the rights of now are registered,
   io_uring_register(2). 77 where the kernel has none. */
#include <linux/io_uring.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **arguments) {
    struct io_uring_params parameters = {0};
    int ring = syscall(SYS_io_uring_setup, 8, &parameters);
    if (count < 2 || ring < 0) return 77;
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_PERSONALITY, 0, 0) < 0) return 77;
    dup2(ring, 0);
    execvp(arguments[1], arguments + 1);
    perror(arguments[1]);
    return 78;
}
