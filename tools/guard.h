/* Who may ask a server: decided from what stands in the head of a request. NULL is a header that is not there.
 *
 *     if (!guard_is_local(host) || !guard_is_same_site(origin, host)) ...    // a web page of someone else's asks
 *     if (!guard_fits(token, authorization, cookie)) ...
 *
 * A server on the loopback device needs no token, but browsers reach it on behalf of any page they show. A page whose
 * name was made to point to 127.0.0.1 (DNS rebinding) gives itself away by the Host header, other pages by Origin.
 */
#ifndef OCLIP_GUARD_H
#define OCLIP_GUARD_H

#include <stdbool.h>

/* "localhost", "127.0.0.1" or "[::1]", with or without a port. */
bool guard_is_local(const char *host);

/* No origin (no browser, or no other page), or that of the host itself. */
bool guard_is_same_site(const char *origin, const char *host);

/* "Bearer TOKEN" as the authorization, or TOKEN as the cookie; takes the same time for all wrong ones. */
bool guard_fits(const char *token, const char *authorization, const char *cookie);

/* At least 8 letters, digits and -._~ */
bool guard_is_token(const char *text);

#endif
