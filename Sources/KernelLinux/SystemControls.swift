import Glibc
import KernelInterface

/// Values below /proc/sys. The files of /proc/sys/net are those of the namespace of the thread that opens them.
enum SystemControls {
    /// The kernel answers at most a page.
    static let valueBytes = 4096

    static func read(_ path: String, in namespace: NamespaceName?) throws(KernelError) -> String {
        let action = "read sysctl \(path)\(place(namespace))"
        try check(path, action)
        return try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in try readHere(path, action) }
    }

    /// Several values for one visit to the namespace; those that cannot be read are left out.
    static func read(_ paths: [String], in namespace: NamespaceName?) throws(KernelError) -> [String: String] {
        try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in
            var values: [String: String] = [:]
            for path in paths { values[path] = try? checkedHere(path, "read sysctl \(path)") }
            return values
        }
    }

    private static func checkedHere(_ path: String, _ action: String) throws(KernelError) -> String {
        try check(path, action)
        return try readHere(path, action)
    }

    /// In the namespace of the calling thread.
    private static func readHere(_ path: String, _ action: String) throws(KernelError) -> String {
        let descriptor = open("/proc/sys/\(path)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw KernelError(errno, action) }
        defer { close(descriptor) }
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: valueBytes) { area, length in
            count = Glibc.read(descriptor, area.baseAddress, area.count)
            length = max(count, 0)
        }
        guard count >= 0 else { throw KernelError(errno, action) }
        // The kernel ends the value with a line feed.
        return String(decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
    }

    static func write(_ path: String, _ value: String, in namespace: NamespaceName?) throws(KernelError) {
        let action = KernelOperation.setSysctl(path: path, value: value, namespace).action
        try check(path, action)
        try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in
            try writeHere(path, value, action)
            if value == "0", let forwarding = forwardingOfListener(path), (try? readHere(forwarding, action)) == "1" {
                // The kernel forgets advertised routes of devices that forward and do not listen with each such write, also of the value that it has.
                try writeHere(forwarding, "1", action)
            }
        }
    }

    private static func writeHere(_ path: String, _ value: String, _ action: String) throws(KernelError) {
        let descriptor = open("/proc/sys/\(path)", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw KernelError(errno, action) }
        defer { close(descriptor) }
        // One write: the kernel takes a value only as a whole.
        let bytes = Array(value.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw KernelError(errno, action) }
    }

    /// Whether the device forwards, when the path says whether it listens to router advertisements. One that stops listening would keep its default route for as long as
    /// the advertisement said, hours at most, and the kernel refuses another one (EEXIST) meanwhile.
    private static func forwardingOfListener(_ path: String) -> String? {
        let words = path.split(separator: "/")
        guard words.count == 5, path.hasPrefix("net/ipv6/conf/"), words[4] == "accept_ra", words[3] != "all", words[3] != "default" else {
            return nil
        }
        return "net/ipv6/conf/\(words[3])/forwarding"
    }

    /// Only /proc/sys/net belongs to a namespace; anything else would change the whole machine.
    private static func check(_ path: String, _ action: String) throws(KernelError) {
        let isInside = path.hasPrefix("net/") && !path.split(separator: "/").contains("..")
        guard isInside else { throw KernelError(EINVAL, action, kernelSentence: "the path must be below net/") }
    }
}
