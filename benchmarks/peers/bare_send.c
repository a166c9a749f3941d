/* The least a server can do: whoever says a number causes one send(2) of a fixed frame to everybody,
 * with that number in it. bare_send FRAME-FILE OFFSET: the number's eight digits stand at OFFSET.
 * Prints its port. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 20000
static int lines[MOST];
static int count = 0;
static char frame[1 << 16];
static size_t size;

static int everything(int line, const char *data, size_t left) {
    while (left > 0) {
        ssize_t done = send(line, data, left, MSG_NOSIGNAL);
        if (done <= 0) return 0;
        data += done;
        left -= done;
    }
    return 1;
}

static void admit(int listener, int events) {
    int line = accept(listener, NULL, NULL), yes = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = line};
    if (line < 0) return;
    if (count == MOST) { close(line); return; }
    setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    epoll_ctl(events, EPOLL_CTL_ADD, line, &event);
    lines[count++] = line;
    everything(line, "hello", 5);
}

static void dismiss(int line) {
    for (int i = 0; i < count; i++)
        if (lines[i] == line) lines[i] = lines[--count];
    close(line);
}

/* Numbers come as eight digits each; `offset` is where they stand in the frame. */
static void hear(int line, size_t offset) {
    char said[8 * 256];
    ssize_t got = recv(line, said, sizeof said, 0);
    if (got <= 0) { dismiss(line); return; }
    for (ssize_t at = 0; at + 8 <= got; at += 8) {
        memcpy(frame + offset, said + at, 8);
        for (int i = 0; i < count; i++) everything(lines[i], frame, size);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    FILE *file = fopen(argv[1], "rb");
    if (!file) return 1;
    size = fread(frame, 1, sizeof frame, file);
    fclose(file);
    size_t offset = strtoul(argv[2], NULL, 10);
    if (offset + 8 > size) return 1;

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), events = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 2048)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(events, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int some = epoll_wait(events, ready, 256, -1);
        for (int i = 0; i < some; i++)
            if (ready[i].data.fd == listener) admit(listener, events);
            else hear(ready[i].data.fd, offset);
    }
}
