import Glibc
import KernelInterface
import KernelLinux
import Synchronization

let isRoot = geteuid() == 0

/// Network namespaces of one test.
enum TestNamespaces {
    private static let number = Atomic<Int>(0)

    /// Runs a body with new namespaces, which go afterwards.
    static func with<Value>(_ count: Int, _ body: (LinuxKernel, [NamespaceName]) throws -> Value) throws -> Value {
        let kernel = LinuxKernel()
        let names = (0..<count).map { _ in
            NamespaceName("ntest-\(getpid())-e\(number.add(1, ordering: .relaxed).newValue)")
        }
        defer { for name in names { try? kernel.perform(.removeNamespace(name)) } }
        for name in names { try kernel.perform(.addNamespace(name)) }
        return try body(kernel, names)
    }

    /// Waits for a condition; false when it does not come true.
    static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<500 {
            if try condition() { return true }
            _ = poll(nil, 0, 10)
        }
        return false
    }
}
