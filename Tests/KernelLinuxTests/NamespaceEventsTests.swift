import Glibc
import KernelInterface
import Synchronization
import Testing

@testable import KernelLinux

extension RealKernelTests {
    @Test("A link that changes in one of many namespaces names that namespace, and one that is no longer watched can end")
    func namespaceEvents() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 3) { names in
            let heard = Heard()
            let events = try NamespaceEvents { heard.note($0) }
            defer { events.close() }
            let missing = RealKernel.freshName("missing")
            events.watch(Set(names + [missing]))

            try kernel.perform(.addLink(Link(name: "one", kind: .bridge), names[1]))
            #expect(RealKernel.eventually { heard.names == [names[1]] })

            try kernel.perform(.addNamespace(missing))
            defer { try? kernel.perform(.removeNamespace(missing)) }
            events.watch([names[0], missing])
            heard.forget()
            try kernel.perform(.addLink(Link(name: "two", kind: .bridge), names[1]))
            try kernel.perform(.addLink(Link(name: "three", kind: .bridge), missing))
            #expect(RealKernel.eventually { heard.names == [missing] })

            // Under the same name, another namespace.
            try kernel.perform(.removeNamespace(names[0]))
            try kernel.perform(.addNamespace(names[0]))
            events.watch([names[0]])
            heard.forget()
            try kernel.perform(.addLink(Link(name: "four", kind: .bridge), names[0]))
            #expect(RealKernel.eventually { heard.names == [names[0]] })
        }
    }
}

private final class Heard: Sendable {
    private let all = Mutex<Set<NamespaceName>>([])

    var names: Set<NamespaceName> { all.withLock { $0 } }
    func note(_ name: NamespaceName) { _ = all.withLock { $0.insert(name) } }
    func forget() { all.withLock { $0 = [] } }
}
