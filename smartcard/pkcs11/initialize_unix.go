//go:build cgo && unix

package pkcs11

/*
#cgo linux LDFLAGS: -ldl -lpthread
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

// What PKCS #11 2.40 calls CK_C_INITIALIZE_ARGS, CK_FUNCTION_LIST (its begin), CKR_OK, CKR_HOST_MEMORY and CKR_GENERAL_ERROR.
struct arguments {
	unsigned long (*create)(void **), (*destroy)(void *), (*lock)(void *), (*unlock)(void *);
	unsigned long flags;
	void *reserved;
};
struct functions {
	unsigned char version[2];
	unsigned long (*initialize)(struct arguments *);
};
enum { ok = 0, memory = 2, trouble = 5 };

static unsigned long createMutex(void **out) {
	pthread_mutexattr_t kind;
	pthread_mutex_t *m = malloc(sizeof *m);
	if (!m) return memory;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(m, &kind);
	pthread_mutexattr_destroy(&kind);
	*out = m;
	return ok;
}

static unsigned long destroyMutex(void *m) {
	if (pthread_mutex_destroy(m)) return ok; // a lock was left behind: it is leaked
	free(m);
	return ok;
}

static unsigned long lockMutex(void *m) { return pthread_mutex_lock(m) ? trouble : ok; }
static unsigned long unlockMutex(void *m) { return pthread_mutex_unlock(m) ? trouble : ok; }

// initialize initialises a module that is loaded.
static unsigned long initialize(const char *path) {
	struct functions *f = 0;
	struct arguments a = {createMutex, destroyMutex, lockMutex, unlockMutex, 0, 0};
	void *library = dlopen(path, RTLD_LAZY);
	unsigned long (*get)(struct functions **) = library ? dlsym(library, "C_GetFunctionList") : 0;
	if (!get || get(&f) || !f) return trouble;
	return f->initialize(&a);
}
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"
)

// initialize hands the module mutexes of ours, which the thread that has locked one may lock again: only one thread calls it. QUIRK: OpenSC
// 0.23 leaves one locked when a card is pulled while it is used (sc_unlock), and would wait for itself for ever in the next call. A module that
// takes no mutexes uses those of the system.
func (b binding) initialize() error {
	path := C.CString(b.path)
	defer C.free(unsafe.Pointer(path))
	code := uint(C.initialize(path))
	switch code {
	case pkcs11.CKR_OK:
		return nil
	case pkcs11.CKR_CANT_LOCK, pkcs11.CKR_ARGUMENTS_BAD:
		return failure("C_Initialize", b.c.Initialize()) // with CKF_OS_LOCKING_OK
	}
	return failure("C_Initialize", pkcs11.Error(code))
}
