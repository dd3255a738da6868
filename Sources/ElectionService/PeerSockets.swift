import Addressing
import CLinux
import Glibc
import KernelInterface

/// The two sockets by which a host learns that others live: pulses from agents, and answers of kernels.
///
/// Confined to the election's thread. Sending never waits: what a full queue refuses is lost, like a datagram on the way.
final class PeerSockets {
    /// Beside VXLAN's 4789; between tunnel endpoints only.
    static let port: UInt16 = 4790
    /// What one look takes from a socket at most; the rest follows with the next.
    static let maximumDatagrams = 256
    static let datagramBytes = 2048

    enum Sign {
        case pulse(from: IPAddress, [UInt8])
        case echo(from: IPAddress)
        case refusal(from: IPAddress)

        var address: IPAddress {
            switch self {
            case .pulse(let address, _), .echo(let address), .refusal(let address): address
            }
        }
    }

    let pulses: Int32
    let echoes: Int32
    private let identifier: UInt16
    private var sequence: UInt16 = 0
    private var buffer = [UInt8](repeating: 0, count: datagramBytes)

    /// - Parameter local: The host's tunnel endpoint.
    init(local: IPAddress, identifier: UInt16) throws(KernelError) {
        var peer = clinux_peer(local)
        self.identifier = identifier
        pulses = try opened(clinux_pulse_socket(&peer, Self.port), "receive pulses on \(local), UDP port \(Self.port)")
        let echoes = clinux_echo_socket(&peer)
        guard echoes >= 0 else {
            close(pulses)
            throw kernelError(-echoes, "open a socket for echo requests on \(local)")
        }
        self.echoes = echoes
    }

    deinit {
        close(pulses)
        close(echoes)
    }

    /// Lets in only what comes from these addresses, all of the local one's family. Whoever else sends costs nothing but the arrival: a flood can
    /// neither keep the election's thread busy nor push pulses out of the socket's buffer.
    func admit(_ peers: Set<IPAddress>) throws(KernelError) {
        let admitted = peers.map { clinux_peer($0) }
        for descriptor in [pulses, echoes] {
            let result = clinux_admit_peers(descriptor, admitted, admitted.count)
            guard result < 0 else { continue }
            // Then the reader alone tells peers from others.
            setsockopt(descriptor, SOL_SOCKET, SO_DETACH_FILTER, nil, 0)
            throw kernelError(-result, "keep strangers out of the socket for \(admitted.count) peers")
        }
    }

    func send(_ bytes: [UInt8], to address: IPAddress) {
        var peer = clinux_peer(address)
        _ = clinux_pulse_send(pulses, &peer, Self.port, bytes, bytes.count)
    }

    func requestEcho(of address: IPAddress) {
        var peer = clinux_peer(address)
        sequence &+= 1
        _ = clinux_echo_send(echoes, &peer, identifier, sequence)
    }

    func readPulses(_ body: (Sign) -> Void) {
        var peer = clinux_peer()
        for _ in 0..<Self.maximumDatagrams {
            let count = clinux_pulse_receive(pulses, &peer, Self.port, &buffer, buffer.count)
            // A pending error is told once by a read and stays in the error queue, which is read below.
            if count == -EAGAIN { break }
            if count > 0 { body(.pulse(from: peer.address, Array(buffer[0..<Int(count)]))) }
        }
        for _ in 0..<Self.maximumDatagrams {
            let result = clinux_pulse_refusal(pulses, &peer)
            if result < 0 { break }
            if result == 1 { body(.refusal(from: peer.address)) }
        }
    }

    func readEchoes(_ body: (Sign) -> Void) {
        var peer = clinux_peer()
        for _ in 0..<Self.maximumDatagrams {
            let result = clinux_echo_receive(echoes, &peer, identifier)
            if result < 0 { break }
            if result == 1 { body(.echo(from: peer.address)) }
        }
    }
}

func kernelError(_ code: Int32, _ action: String) -> KernelError {
    KernelError(code: code, "cannot \(action): \(String(cString: strerror(code)))")
}

func opened(_ descriptor: Int32, _ action: @autoclosure () -> String) throws(KernelError) -> Int32 {
    guard descriptor >= 0 else { throw kernelError(-descriptor, action()) }
    return descriptor
}

func monotonicMilliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}
