import CLinux
import Glibc

/// Carries frames between two devices of `fabric`, late: see ``ImpairedLink``. A thread for each direction.
///
/// Frames come with the kernel's notes on checksums and segments (virtio_net_hdr) and go on with them, so that what was sent as one large
/// segment stays one, and a wire carries gigabits.
public enum Wire {
    /// The largest segment, its Ethernet header and the notes.
    private static let frameLimitBytes = 10 + 18 + 65_536
    /// How often a wire whose device is down looks at it again.
    private static let downStepMicroseconds: UInt32 = 5000
    private static let longestWaitNanoseconds: Int64 = 1_000_000_000
    /// So many frames are taken before those are sent whose time has come.
    private static let batch = 64

    /// Carries frames; returns only with an error. Says a line on standard output when it is ready.
    ///
    /// - Parameters:
    ///   - process: any process in the network namespace of the devices.
    ///   - host: the device behind which the host is.
    ///   - fabric: the device behind which everything else is.
    public static func run(inNamespaceOfProcess process: Int32, host: String, fabric: String, _ options: FaultOptions) throws -> Never {
        try options.check()
        let hostSocket = try openSocket(inNamespaceOfProcess: process) { clinux_packet_socket(host) }
        let fabricSocket = try openSocket(inNamespaceOfProcess: process) { clinux_packet_socket(fabric) }
        let sent = WireQueue(rules: rules(options, isImpaired: options.direction != .received), seed: options.seed)
        let received = WireQueue(rules: rules(options, isImpaired: options.direction != .sent), seed: ~options.seed)
        try BackgroundThread.start { carry(from: hostSocket, to: fabricSocket, sent) }
        _ = write(STDOUT_FILENO, "ready\n", 6)
        carry(from: fabricSocket, to: hostSocket, received)
    }

    private static func rules(_ options: FaultOptions, isImpaired: Bool) -> WireQueue.Rules {
        guard isImpaired else { return WireQueue.Rules() }
        return WireQueue.Rules(
            loss: (options.lossPercent ?? 0) / 100, delayNanoseconds: Int64(options.delayMilliseconds * 1_000_000),
            jitterNanoseconds: Int64(options.jitterMilliseconds * 1_000_000), reorder: options.reorderPercent / 100)
    }

    private static func carry(from source: Int32, to sink: Int32, _ start: WireQueue) -> Never {
        var queue = start
        var buffer = [UInt8](repeating: 0, count: frameLimitBytes)
        while true {
            let wait = min((queue.due ?? .max) &- MonotonicTime.nanoseconds, longestWaitNanoseconds)
            if wait <= 0 || clinux_wait_readable(source, wait) >= 0 {
                for _ in 0..<batch {
                    let count = recv(source, &buffer, buffer.count, 0)
                    if count <= 0 {
                        // A device that is down carries nothing; it may come up again.
                        if count < 0, errno == ENETDOWN || errno == ENXIO { usleep(downStepMicroseconds) }
                        break
                    }
                    queue.add(Array(buffer[..<count]), at: MonotonicTime.nanoseconds)
                }
            }
            let now = MonotonicTime.nanoseconds
            // What the device does not take is lost.
            while let frame = queue.next(at: now) { _ = send(sink, frame, frame.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
        }
    }
}
