#pragma once

#include <errno.h>
#include <unistd.h>

/// The answer of a function whose descriptor was opened and could not be set up.
static inline int fail_closing(int descriptor) {
    int error = -errno;
    close(descriptor);
    return error;
}
