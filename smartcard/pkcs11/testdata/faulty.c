/* A PKCS #11 module for tests: it hands every call to the module in FAULTY_MODULE, but for the faults that the folder FAULTY_CONTROL holds.
   A file there bears the name of a function and holds "VERB HEX", with "once " before where it is for one call:

     return HEX   the function returns the code, and the call is not made
     after HEX    the call is made, and the function returns the code
     hang         the call waits until the file is gone
     flip         the last octet of the result of C_Sign and C_Decrypt is changed
     flags HEX    is set in what C_GetTokenInfo returns
     hide HEX,... is left out of what C_GetMechanismList returns
     long         C_GetAttributeValue returns a length that cannot be
     pad HEX      C_Login without a PIN presents this one: as a PIN pad would

   Calls of C_Login go to the file "log". All arguments are words, as on the machines that the tests run on. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word);
typedef struct { unsigned char version[2]; function f[67]; } list;

static list *real, ours;

static const struct { int index; const char *name; } names[] = {
	{0, "C_Initialize"}, {1, "C_Finalize"}, {4, "C_GetSlotList"}, {6, "C_GetTokenInfo"}, {7, "C_GetMechanismList"}, {12, "C_OpenSession"},
	{15, "C_GetSessionInfo"}, {18, "C_Login"}, {24, "C_GetAttributeValue"}, {26, "C_FindObjectsInit"}, {33, "C_DecryptInit"}, {34, "C_Decrypt"},
	{42, "C_SignInit"}, {43, "C_Sign"},
};

/* fault reads the file of a function. */
static int fault(const char *name, char *verb, char *value) {
	char path[4096], text[256] = "", first[64] = "";
	const char *at = text;
	snprintf(path, sizeof path, "%s/%s", getenv("FAULTY_CONTROL"), name);
	FILE *f = fopen(path, "r");
	if (!f) return 0;
	size_t n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	fclose(f);
	if (sscanf(text, "%63s", first) == 1 && !strcmp(first, "once")) {
		unlink(path);
		at = text + 5;
	}
	verb[0] = value[0] = 0;
	sscanf(at, "%63s %191s", verb, value);
	if (!strcmp(verb, "hang")) while (access(path, F_OK) == 0) usleep(1000);
	return 1;
}

static void note(word user, word pin, word rv) {
	char path[4096];
	snprintf(path, sizeof path, "%s/log", getenv("FAULTY_CONTROL"));
	FILE *f = fopen(path, "a");
	if (!f) return;
	fprintf(f, "user %lu, %s: 0x%lx\n", user, pin ? "PIN" : "no PIN", rv);
	fclose(f);
}

/* hide takes mechanisms out of a list. */
static void hide(word *types, word *count, const char *hidden) {
	word kept = 0;
	for (word i = 0; i < *count; i++) {
		char copy[192], *rest = copy, *one;
		int out = 0;
		strcpy(copy, hidden);
		while ((one = strsep(&rest, ","))) out |= types[i] == strtoul(one, 0, 16);
		if (!out) types[kept++] = types[i];
	}
	*count = kept;
}

static word call(int i, word a, word b, word c, word d, word e, word f) {
	char verb[64], value[192];
	int faulty = fault(names[i].name, verb, value);
	word code = faulty ? strtoul(value, 0, 16) : 0, pin = c;
	function real_one = real->f[names[i].index];
	if (faulty && !strcmp(verb, "return")) {
		if (names[i].index == 18) note(b, pin, code);
		return code;
	}
	if (faulty && !strcmp(verb, "pad") && !c) c = (word)value, d = strlen(value);
	word rv = real_one(a, b, c, d, e, f);
	if (faulty && !strcmp(verb, "after")) rv = code;
	if (faulty && !strcmp(verb, "flags") && rv == 0) *(word *)(b + 96) |= code;
	if (faulty && !strcmp(verb, "flip") && rv == 0 && d) ((unsigned char *)d)[*(word *)e - 1] ^= 1;
	if (faulty && !strcmp(verb, "hide") && rv == 0 && b) hide((word *)b, (word *)c, value);
	if (faulty && !strcmp(verb, "long") && rv == 0) ((word *)c)[2] = 0x80000000;
	if (names[i].index == 18) note(b, pin, rv);
	return rv;
}

#define WRAP(i) static word wrap##i(word a, word b, word c, word d, word e, word f) { return call(i, a, b, c, d, e, f); }
WRAP(0) WRAP(1) WRAP(2) WRAP(3) WRAP(4) WRAP(5) WRAP(6) WRAP(7) WRAP(8) WRAP(9) WRAP(10) WRAP(11) WRAP(12) WRAP(13)
static const function wraps[] = {wrap0, wrap1, wrap2, wrap3, wrap4, wrap5, wrap6, wrap7, wrap8, wrap9, wrap10, wrap11, wrap12, wrap13};

word C_GetFunctionList(list **out) {
	if (!real) {
		void *library = dlopen(getenv("FAULTY_MODULE"), RTLD_NOW);
		word (*get)(list **) = library ? dlsym(library, "C_GetFunctionList") : 0;
		if (!get || get(&real)) return 5;
		ours = *real;
		for (unsigned i = 0; i < sizeof wraps / sizeof *wraps; i++) ours.f[names[i].index] = wraps[i];
	}
	*out = &ours;
	return 0;
}
