#include "tools/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* What was bound, in words; the port may have been any. */
static int describe(struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[64], port[8];
    if (getsockname(listener->socket, (struct sockaddr *)&address, &length) != 0 ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -1;
    listener->is_local = is_loopback(&address);
    listener->url = mem_format(address.ss_family == AF_INET6 ? "http://[%s]:%s/" : "http://%s:%s/", host, port);
    return 0;
}

static int bind_to(const struct addrinfo *address)
{
    int descriptor = socket(address->ai_family, SOCK_STREAM, 0);
    if (descriptor < 0)
        return -1;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)); /* else a restart has to wait */
    if (bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 && listen(descriptor, SOMAXCONN) == 0)
        return descriptor;
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

int listener_open(struct listener *listener, const char *host, int port, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *address;
    char service[16];
    *listener = (struct listener){.socket = -1};
    if (port < 0 || port > 65535)
        return error_set(err, EXIT_USAGE, "--port %d: must be from 0 to 65535", port);
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, service, &hints, &address) != 0)
        return error_set(err, EXIT_USAGE, "--host %s: must be an address such as 127.0.0.1, 0.0.0.0 or ::1", host);
    listener->socket = bind_to(address);
    freeaddrinfo(address);
    if (listener->socket >= 0 && describe(listener) == 0)
        return 0;
    int code = errno;
    listener_close(listener);
    return error_set(err, EXIT_FAILED, "%s, port %d: cannot listen there: %s", host, port, strerror(code));
}

void listener_release(struct listener *listener)
{
    free(listener->url);
    *listener = (struct listener){.socket = -1};
}

void listener_close(struct listener *listener)
{
    if (listener->socket >= 0)
        close(listener->socket);
    listener_release(listener);
}
