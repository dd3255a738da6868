import CLinux
import Glibc
import Synchronization

/// An instance's device, read and written frame by frame: what its kernel would never send, and what it would never show.
public final class FramePort: Sendable {
    /// What a packet socket puts before each frame: virtio_net_hdr, which is nothing here.
    private static let notes = [UInt8](repeating: 0, count: 10)
    private static let frameLimitBytes = 10 + 18 + 65_536
    private static let waitNanoseconds: Int64 = 50_000_000
    /// Frames that are kept; of more, the first ones go.
    public static let frameLimit = 10_000

    private struct State {
        var frames: [[UInt8]] = []
        var isClosing = false
    }

    public let name: String
    private let descriptor: Int32
    private let state = Mutex(State())

    /// Opens the device of a place and keeps every frame that comes in until ``close()``.
    public static func open(_ device: String = "eth0", of place: Place) throws -> FramePort {
        let descriptor = try openSocket(inNamespaceOfProcess: place.processID) { clinux_packet_socket(device) }
        let port = FramePort(name: place.name, descriptor: descriptor)
        try BackgroundThread.start { port.listen() }
        return port
    }

    private init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }

    deinit { Glibc.close(descriptor) }

    /// Sends whole Ethernet frames, as they are.
    public func send(_ frames: [[UInt8]]) throws {
        for frame in frames {
            let bytes = Self.notes + frame
            guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
                throw Files.failure("send a frame from \(name)")
            }
        }
    }

    /// Whether a frame with these octets in it has come in.
    public func hasReceived(_ marker: [UInt8]) -> Bool {
        state.withLock { $0.frames.contains { Self.contains($0[...], marker) } }
    }

    /// Forgets what has come in.
    public func clear() { state.withLock { $0.frames = [] } }

    public func close() { state.withLock { $0.isClosing = true } }

    private func listen() {
        var buffer = [UInt8](repeating: 0, count: Self.frameLimitBytes)
        while !state.withLock({ $0.isClosing }) {
            guard clinux_wait_readable(descriptor, Self.waitNanoseconds) > 0 else { continue }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > Self.notes.count else { continue }
            let frame = Array(buffer[Self.notes.count..<count])
            state.withLock { state in
                if state.frames.count >= Self.frameLimit { state.frames.removeFirst(Self.frameLimit / 2) }
                state.frames.append(frame)
            }
        }
    }

    private static func contains(_ frame: ArraySlice<UInt8>, _ marker: [UInt8]) -> Bool {
        guard let first = marker.first else { return false }
        var rest = frame
        while let index = rest.firstIndex(of: first) {
            if rest[index...].starts(with: marker) { return true }
            rest = rest[(index + 1)...]
        }
        return false
    }
}
