import CLinux
import Glibc
import KernelConformance
import KernelInterface
import Synchronization
import Testing

@testable import KernelLinux

/// What tests on the real kernel share: only root can run them, and they work in namespaces of their own.
enum RealKernel {
    static let isAvailable = geteuid() == 0
    static let skipReason: Comment = "the real kernel's objects need root: run the tests as root"

    /// As `uname -r` begins, with two digits for the second part: 6.18 for Linux 6.18, 6.01 for 6.1.
    static let release: Double = {
        let octets = (try? FileContents.read("/proc/sys/kernel/osrelease", limit: 256)) ?? []
        let text = String(decoding: octets, as: UTF8.self)
        let parts = text.split { !$0.isNumber }.prefix(2).compactMap { Double($0) }
        return parts.count == 2 ? parts[0] + parts[1] / 100 : 0
    }()

    private static let number = Mutex(0)

    /// A name that no other test and no other run uses.
    static func freshName(_ purpose: String = "n") -> NamespaceName {
        let number = number.withLock { number -> Int in
            number += 1
            return number
        }
        return NamespaceName("ntest-\(getpid())-\(purpose)\(number)")
    }

    /// Gives the kernel a moment between two looks at a condition.
    @Sendable static func pause() { _ = poll(nil, 0, 10) }

    /// Runs a body with new namespaces, which go afterwards.
    static func withNamespaces<Value>(_ kernel: LinuxKernel, _ count: Int, _ body: ([NamespaceName]) throws -> Value) throws -> Value {
        let names = (0..<count).map { _ in freshName() }
        defer { for name in names { try? kernel.perform(.removeNamespace(name)) } }
        for name in names { try kernel.perform(.addNamespace(name)) }
        return try body(names)
    }

    /// Waits for a condition; false when it does not come true.
    static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<KernelConformance.attempts {
            if try condition() { return true }
            pause()
        }
        return false
    }

    /// How many netlink sockets and namespaces this process holds open. Tests of other rooms run in the same process and open some, too: compare
    /// with ``descriptorTolerance``.
    static func openDescriptors() throws -> Int {
        let names = try directoryEntries("/proc/self/fd")
        return names.compactMap { Int32($0) }.count { descriptor in
            var family: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            if getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 { return family == AF_NETLINK }
            return clinux_is_namespace_file("/proc/self/fd/\(descriptor)") == 1
        }
    }

    /// Fewer than any leak that a test looks for leaves behind.
    static let descriptorTolerance = 20
}

/// Tests on the real kernel run one after the other: they count descriptors.
@Suite(.serialized, .enabled(if: RealKernel.isAvailable, RealKernel.skipReason))
struct RealKernelTests {}

extension RealKernelTests {
    @Test("The real kernel conforms", arguments: KernelConformance.cases.filter { $0.needs == nil })
    func conformance(_ example: KernelConformance.Case) throws { try run(example) }

    @Test(
        "The real kernel conforms where it has 802.1Q devices",
        .enabled(if: VLANDevices.detect(), "this kernel has no 802.1Q devices"),
        arguments: KernelConformance.cases.filter { $0.needs == .vlanDevices })
    func vlanConformance(_ example: KernelConformance.Case) throws { try run(example) }

    private func run(_ example: KernelConformance.Case) throws {
        let subject = KernelConformance.Subject(
            kernel: LinuxKernel(), first: RealKernel.freshName(), second: RealKernel.freshName(), pause: RealKernel.pause)
        try example.run(on: subject)
    }
}
