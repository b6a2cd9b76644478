#!/usr/bin/env python3
"""compare.py of the bench harness, with what it lacks for a network stack.

`http` and `close` also yield the 50th and 99th percentile of the latency and the server's processor
time for a request. `close` also loads the server from two threads (`-t2`): one that connects anew
for each request takes more time than a quick server does, so that its rate is the client's.
`tcp` also yields the mean length of the frames; the new test `udp-rate` counts echoed datagrams with
32 of them on the way. FATA_HARNESS is the harness's folder, FATA_UDP_LOAD the program that makes the
datagrams. All options are compare.py's.
"""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ['FATA_HARNESS'])

import bench  # noqa: E402
import compare  # noqa: E402

UNITS = {'us': 1, 'ms': 1e3, 's': 1e6, 'm': 60e6}
IN_FLIGHT = 32


def microseconds(text):
    """wrk's way of writing a time."""
    number, unit = re.fullmatch(r'([\d.]+)(\D+)', text).groups()
    return float(number) * UNITS[unit]


def with_latency(sample, seconds, duration):
    """The sample, the latencies that came with it, and the server's time for a request of those
    that took so many seconds of the processor together."""
    yield sample
    each = None if sample.value is None else seconds * 1e6 / (sample.value * duration)
    yield bench.Sample(f'{sample.measure}-processor', each, 'us', sample.foreign)
    for percentile in ('p50', 'p99'):
        text = sample.details.get(percentile)
        value = None if sample.value is None or text is None else microseconds(text)
        yield bench.Sample(f'{sample.measure}-{percentile}', value, 'us', sample.foreign)


def tell_errors(sample):
    """A load with errors measures something else, so they must be seen."""
    errors = {key: sample.details[key] for key in ('errors', 'bad_status') if key in sample.details}
    if errors:
        bench.say(f'  {sample.measure}: {errors}')


def with_latencies(test):
    def sample(guest, options):
        before = guest.cpu_seconds()
        for taken in test(guest, options):
            after = guest.cpu_seconds()
            tell_errors(taken)
            yield from with_latency(taken, after - before, options.duration)
            before = after
    return sample


def sample_close(guest, options):
    """The harness's test, and the same from two threads of the client."""
    yield from bench.sample_close(guest, options)
    url = f'http://{guest.address}:{guest.definition.port}{guest.definition.path}'
    command = ['wrk', '-t2', '-c16', f'-d{options.duration}s', '--latency', '--timeout', '5s',
               '-H', 'Connection: close', url]
    with bench.Noise() as noise:
        output = subprocess.run(
            command, capture_output=True, text=True, check=False,
            preexec_fn=bench.die_with_parent).stdout
    guest.drain()
    value, details = bench.parse_wrk(output)
    yield bench.Sample('http-close-c16-t2', value, 'req/s', noise.foreign, details)


def traffic():
    """By interface: bytes and frames received, bytes and frames sent."""
    counted = {}
    with open('/proc/net/dev') as lines:
        for line in list(lines)[2:]:
            name, counters = line.split(':')
            words = [int(word) for word in counters.split()]
            counted[name.strip()] = (words[0], words[1], words[8], words[9])
    return counted


def mean_frame(before, after):
    """Bytes of a frame, on the interface and in the direction that carried most."""
    grown = [(0, 0)]
    for name in before.keys() & after.keys():
        received, frames_in, sent, frames_out = (
            b - a for a, b in zip(before[name], after[name]))
        grown += [(received, frames_in), (sent, frames_out)]
    length, frames = max(grown)
    return length / frames if frames else None


def sample_tcp(guest, options):
    """The harness's test, and how long the frames were: whether segmentation was offloaded."""
    before = traffic()
    for taken in tcp(guest, options):
        after = traffic()
        yield taken
        yield bench.Sample(f'{taken.measure}-frame', mean_frame(before, after), 'bytes')
        before = traffic()


tcp = bench.sample_tcp


def sample_udp_rate(guest, options):
    """Datagrams of 64 bytes that came back, with 32 on the way."""
    command = [os.environ['FATA_UDP_LOAD'], f'{guest.address}:{guest.definition.echo}',
               str(IN_FLIGHT), str(options.duration)]
    with bench.Noise() as noise:
        output = subprocess.run(
            command, capture_output=True, text=True, check=True,
            preexec_fn=bench.die_with_parent).stdout
    guest.drain()
    words = dict(line.split() for line in output.splitlines())
    yield bench.Sample('udp-rate', float(words['rate']), 'req/s', noise.foreign,
                       {'lost': int(words['lost'])})


bench.ON_RUNNING['http'] = with_latencies(bench.sample_http)
bench.ON_RUNNING['close'] = with_latencies(sample_close)
bench.ON_RUNNING['tcp'] = sample_tcp
bench.ON_RUNNING['udp-rate'] = sample_udp_rate
bench.TEST_NAMES.append('udp-rate')

try:
    compare.main()
except KeyboardInterrupt:
    sys.exit(130)
