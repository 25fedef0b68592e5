/* A message centre that costs next to nothing: binds, answers each submit_sm, reports each as delivered after a while.
 *
 *     sink PORT RECEIPTS_AFTER_MS      -1: no receipts. Asked by a line, it prints: submissions, receipts, acknowledged
 *                                      ones; it ends when its input does.
 *
 * SMPP 3.4, one process, one thread. It measures a sender and must not be what is measured; it is no example: it looks at
 * nothing that a sender of ours does not send. Receipts go to whoever may receive, in turn, so many unanswered at most.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINKS = 64, ROOM = 1 << 20, UNANSWERED = 1000, MOST_PDU = 1 << 16 };
enum { RECEIVER = 1, TRANSMITTER = 2, SUBMIT = 4, DELIVER = 5, UNBIND = 6, TRANSCEIVER = 9, ENQUIRE = 0x15 };
#define IS_ANSWER 0x80000000u

struct receipt {
    uint64_t id, due_ms;
    char number[24];
};
struct link {
    int fd, receives;
    uint32_t sequence;
    size_t in, out, sent;
    unsigned char *from, *to;
    struct receipt told[UNANSWERED]; /* by sequence number; an id of 0 is none */
};

static struct link links[LINKS];
static struct receipt *waiting;
static size_t first, last, most = 1 << 16; /* a ring */
static uint64_t submissions, receipts, acknowledged;
static int poller;

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static uint32_t number_at(const unsigned char *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

static void say(struct link *link, uint32_t command, uint32_t sequence, const void *body, size_t size) {
    uint32_t head[4] = {htonl(16 + size), htonl(command), 0, htonl(sequence)};
    if (link->out + 16 + size > ROOM) return; /* it reads nothing: it hears nothing */
    memcpy(link->to + link->out, head, 16);
    memcpy(link->to + link->out + 16, body, size);
    link->out += 16 + size;
}

static void keep(uint64_t id, const char *number, uint64_t due_ms) {
    if (last - first == most) {
        struct receipt *more = malloc(2 * most * sizeof *more);
        for (size_t each = first; each < last; each++) more[each % (2 * most)] = waiting[each % most];
        free(waiting);
        waiting = more;
        most *= 2;
    }
    struct receipt *kept = &waiting[last++ % most];
    kept->id = id;
    kept->due_ms = due_ms;
    snprintf(kept->number, sizeof kept->number, "%s", number);
}

static void lose(struct link *link) { /* what it did not acknowledge others hear again */
    close(link->fd);
    free(link->from);
    free(link->to);
    for (int place = 0; place < UNANSWERED; place++)
        if (link->told[place].id) keep(link->told[place].id, link->told[place].number, 0);
    memset(link, 0, sizeof *link);
    link->fd = -1;
}

static void flush(struct link *link) {
    while (link->fd >= 0 && link->sent < link->out) {
        ssize_t done = write(link->fd, link->to + link->sent, link->out - link->sent);
        if (done < 0) {
            if (errno != EAGAIN) lose(link);
            return;
        }
        link->sent += done;
    }
    link->sent = link->out = 0;
}

/* service_type, source's ton, npi and address, destination's ton, npi and address: texts end with NUL */
static const unsigned char *destination(const unsigned char *body, const unsigned char *behind) {
    for (int text = 0; text < 2; text++) {
        body = memchr(body, 0, behind - body);
        if (!body || body + 3 >= behind) return NULL;
        body += 3;
    }
    return memchr(body, 0, behind - body) ? body : NULL;
}

static void take(struct link *link, unsigned char *pdu, size_t size, long after_ms) {
    uint32_t command = number_at(pdu + 4), sequence = number_at(pdu + 12);
    char id[24];
    switch (command) {
    case SUBMIT: {
        const unsigned char *number = destination(pdu + 16, pdu + size);
        if (!number) { lose(link); return; }
        submissions++;
        say(link, SUBMIT | IS_ANSWER, sequence, id, 1 + sprintf(id, "%llx", (unsigned long long)submissions));
        if (after_ms >= 0) keep(submissions, (const char *)number, now_ms() + after_ms);
        break;
    }
    case DELIVER | IS_ANSWER:
        acknowledged += link->told[sequence % UNANSWERED].id != 0;
        link->told[sequence % UNANSWERED].id = 0;
        break;
    case RECEIVER: case TRANSCEIVER: case TRANSMITTER:
        link->receives = command != TRANSMITTER;
        say(link, command | IS_ANSWER, sequence, "sink", 5);
        break;
    case ENQUIRE: case UNBIND:
        say(link, command | IS_ANSWER, sequence, "", 0);
        break;
    }
}

static void hear(struct link *link, long after_ms) {
    ssize_t came = read(link->fd, link->from + link->in, ROOM - link->in);
    if (came <= 0) {
        if (!came || errno != EAGAIN) lose(link);
        return;
    }
    size_t at = 0, end = link->in += came;
    while (link->fd >= 0 && end - at >= 16) {
        size_t size = number_at(link->from + at);
        if (size < 16 || size > MOST_PDU) { lose(link); return; }
        if (end - at < size) break;
        take(link, link->from + at, size, after_ms);
        at += size;
    }
    if (link->fd < 0) return;
    memmove(link->from, link->from + at, end - at);
    link->in = end - at;
    flush(link);
}

/* deliver_sm: from the number, esm_class 4, a text of Appendix B, receipted_message_id and message_state 2 */
static void report(struct link *link, const struct receipt *about) {
    unsigned char body[400];
    char text[200], id[24];
    int length = sprintf(id, "%llx", (unsigned long long)about->id), at = 0;
    int said = sprintf(text, "id:%s sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:", id);
    body[at++] = 0, body[at++] = 1, body[at++] = 1;
    at += sprintf((char *)body + at, "%s", about->number) + 1;
    body[at++] = 0, body[at++] = 0;
    at += sprintf((char *)body + at, "sms") + 1;
    memcpy(body + at, "\4\0\0\0\0\0\0\0\0", 9), at += 9;
    body[at++] = said;
    memcpy(body + at, text, said), at += said;
    memcpy(body + at, "\0\x1e\0", 3), at += 3;
    body[at++] = length + 1;
    memcpy(body + at, id, length + 1), at += length + 1;
    memcpy(body + at, "\4\x27\0\1\2", 5), at += 5;
    say(link, DELIVER, ++link->sequence, body, at);
    link->told[link->sequence % UNANSWERED] = *about;
    receipts++;
}

static int is_due(const struct link *link, uint64_t now) {
    return first < last && waiting[first % most].due_ms <= now && !link->told[(link->sequence + 1) % UNANSWERED].id;
}

static void report_what_is_due(void) {
    static int turn;
    uint64_t now = now_ms();
    int refused = 0;
    while (first < last && waiting[first % most].due_ms <= now && refused < LINKS) {
        struct link *link = &links[turn++ % LINKS];
        if (link->fd < 0 || !link->receives || !is_due(link, now)) { refused++; continue; }
        refused = 0;
        for (int many = 0; many < 100 && is_due(link, now); many++) report(link, &waiting[first++ % most]);
        flush(link);
    }
}

static void welcome(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), place = 0, on = 1;
    if (fd < 0) return;
    while (place < LINKS && links[place].fd >= 0) place++;
    if (place == LINKS) { close(fd); return; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    links[place].fd = fd, links[place].from = malloc(ROOM), links[place].to = malloc(ROOM);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.u32 = place});
}

static int tell(void) {
    char line[64];
    if (read(0, line, sizeof line) <= 0) return 0;
    printf("%llu %llu %llu\n", (unsigned long long)submissions, (unsigned long long)receipts, (unsigned long long)acknowledged);
    return !fflush(stdout);
}

int main(int count, char **words) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (count != 3) return fputs("sink PORT RECEIPTS_AFTER_MS\n", stderr), 2;
    here.sin_port = htons(atoi(words[1]));
    long after_ms = atol(words[2]);
    signal(SIGPIPE, SIG_IGN);
    waiting = malloc(most * sizeof *waiting);
    for (int place = 0; place < LINKS; place++) links[place].fd = -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 64)) return perror("sink"), 1;
    poller = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.u32 = LINKS});
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.u32 = LINKS + 1});
    puts("ready"), fflush(stdout);
    for (;;) {
        struct epoll_event happened[LINKS];
        int found = epoll_wait(poller, happened, LINKS, first < last ? 5 : 1000);
        for (int each = 0; each < found; each++) {
            uint32_t place = happened[each].data.u32;
            if (place == LINKS + 1 && !tell()) return 0;
            if (place == LINKS) welcome(listener);
            if (place >= LINKS) continue;
            if (links[place].fd >= 0) flush(&links[place]);
            if (links[place].fd >= 0) hear(&links[place], after_ms);
        }
        report_what_is_due();
        for (int place = 0; place < LINKS; place++) if (links[place].fd >= 0 && links[place].out) flush(&links[place]);
    }
}
