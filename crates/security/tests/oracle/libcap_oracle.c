/*
 * Asks the real libcap, for the differential test beside this directory (captext_libcap.rs).
 *
 * One request a line on standard input, one answer a line on standard output:
 *
 *   t HEX                 cap_from_text of the bytes HEX stands for
 *   s EFF PERM INH        cap_to_text of the state with these bits (hexadecimal, capability n is bit n)
 *
 * The answer is "EFF PERM INH TEXT", the state's bits and what cap_to_text makes of it, or "error".
 * Before the first answer comes a line with the number of capabilities in use and the library's file.
 *
 * ORACLE_COUNT=n makes libcap believe in a kernel that knows n capabilities: it finds out by asking
 * prctl(PR_CAPBSET_READ) for one after the other, and the linker gives it the prctl defined here.
 *
 * The prototypes stand here, and not an #include, because libcap's shared library is on nearly every system
 * and its header is not; they are its documented interface (cap_from_text(3), cap_get_flag(3)).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct _cap_struct *cap_t;
extern cap_t cap_init(void);
extern cap_t cap_from_text(const char *);
extern char *cap_to_text(cap_t, ssize_t *);
extern int cap_free(void *);
extern int cap_get_flag(cap_t, int capability, int flag, int *value);
extern int cap_set_flag(cap_t, int flag, int count, const int *capabilities, int value);

enum { EFFECTIVE = 0, PERMITTED = 1, INHERITABLE = 2, BITS = 64 };

static int believed(void)
{
	const char *count = getenv("ORACLE_COUNT");
	return count ? atoi(count) : -1;
}

int prctl(int option, ...)
{
	va_list args;
	va_start(args, option);
	unsigned long a[4];
	for (int n = 0; n < 4; n++)
		a[n] = va_arg(args, unsigned long);
	va_end(args);
	if (option == PR_CAPBSET_READ && believed() >= 0) {
		if (a[0] < (unsigned long)believed())
			return 1;
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

static void fail(const char *what)
{
	fprintf(stderr, "libcap_oracle: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t bits(cap_t caps, int flag)
{
	uint64_t set = 0;
	for (int n = 0; n < BITS; n++) {
		int value = 0;
		if (cap_get_flag(caps, n, flag, &value) != 0)
			fail("cap_get_flag");
		set |= (uint64_t)(value != 0) << n;
	}
	return set;
}

static void set_bits(cap_t caps, int flag, uint64_t set)
{
	for (int n = 0; n < BITS; n++)
		if (set >> n & 1 && cap_set_flag(caps, flag, 1, &n, 1) != 0)
			fail("cap_set_flag");
}

static void answer(cap_t caps)
{
	if (caps == NULL) {
		puts("error");
		return;
	}
	char *text = cap_to_text(caps, NULL);
	if (text == NULL)
		fail("cap_to_text");
	printf("%llx %llx %llx %s\n", (unsigned long long)bits(caps, EFFECTIVE),
	       (unsigned long long)bits(caps, PERMITTED), (unsigned long long)bits(caps, INHERITABLE), text);
	cap_free(text);
	cap_free(caps);
}

/* How many capabilities "=" alone is about, which is what the library believes the kernel to know. */
static int count_in_use(void)
{
	cap_t all = cap_from_text("=p");
	if (all == NULL)
		fail("cap_from_text");
	int count = __builtin_popcountll(bits(all, PERMITTED));
	cap_free(all);
	return count;
}

int main(void)
{
	Dl_info library = {0};
	dladdr((void *)cap_from_text, &library);
	char *path = library.dli_fname ? realpath(library.dli_fname, NULL) : NULL;
	printf("%d %s\n", count_in_use(), path ? path : "?");

	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	while ((length = getline(&line, &room, stdin)) > 0) {
		if (line[length - 1] == '\n')
			line[--length] = 0;
		unsigned long long e, p, i;
		if (strncmp(line, "t ", 2) == 0) {
			char *to = line;
			for (char *from = line + 2; from[0] && from[1]; from += 2) {
				const char hex[3] = {from[0], from[1], 0};
				*to++ = (char)strtol(hex, NULL, 16);
			}
			*to = 0;
			answer(cap_from_text(line));
		} else if (sscanf(line, "s %llx %llx %llx", &e, &p, &i) == 3) {
			cap_t caps = cap_init();
			if (caps == NULL)
				fail("cap_init");
			set_bits(caps, EFFECTIVE, e);
			set_bits(caps, PERMITTED, p);
			set_bits(caps, INHERITABLE, i);
			answer(caps);
		} else {
			fprintf(stderr, "libcap_oracle: not a request: %s\n", line);
			return 1;
		}
	}
	return 0;
}
