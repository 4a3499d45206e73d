#include "tools/guard.h"

#include <string.h>
#include <strings.h>

static const char token_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

bool guard_is_local(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(host, names[i], length) == 0 && (host[length] == '\0' || host[length] == ':'))
            return true;
    }
    return false;
}

bool guard_is_same_site(const char *origin, const char *host)
{
    static const char *const schemes[] = {"http://", "https://"}; /* the latter behind a proxy */
    if (!origin)
        return true;
    for (size_t i = 0; host && i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], length) == 0 && strcasecmp(origin + length, host) == 0)
            return true;
    }
    return false;
}

static bool is_equal(const char *token, const char *given)
{
    size_t length = strlen(token), given_length = given ? strlen(given) : 0;
    unsigned differs = length != given_length;
    for (size_t i = 0; i < given_length; i++)
        differs |= (unsigned char)given[i] ^ (unsigned char)token[i % length];
    return !differs;
}

bool guard_fits(const char *token, const char *authorization, const char *cookie)
{
    static const char scheme[] = "Bearer ";
    bool has_scheme = authorization && strncasecmp(authorization, scheme, sizeof scheme - 1) == 0;
    return is_equal(token, has_scheme ? authorization + sizeof scheme - 1 : cookie);
}

bool guard_is_token(const char *text)
{
    return strlen(text) >= 8 && text[strspn(text, token_letters)] == '\0';
}
