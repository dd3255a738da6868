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

    /// The kernel may give its inode number to the next one, or not: that is not for a test to decide.
    @Test("A namespace is told from one before it with the same inode number by when it was made, which stays for as long as it is there")
    func identity() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            func identity() -> NamespaceHandle.Identity? { NamespaceHandle.Identity(of: NamespaceRunner.path(of: names[0])) }
            let first = try #require(identity())
            try kernel.perform(.addLink(Link(name: "one", kind: .bridge), names[0]))
            #expect(identity() == first)
            try kernel.perform(.removeNamespace(names[0]))
            #expect(identity() == nil)
            // The kernel's clock of files goes on in steps of milliseconds; an inode number is free again long after.
            RealKernel.pause()
            try kernel.perform(.addNamespace(names[0]))
            var second = try #require(identity())
            (second.device, second.inode) = (first.device, first.inode)
            #expect(second != first)
        }
    }

    @Test("What changed a ruleset is told from the tables that each transaction named, as soon as the kernel counts it")
    func rulesetHistory() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let name = names[0]
            let heard = Heard()
            let events = try NamespaceEvents(onChange: { _ in }, onRulesetChange: { if let name = $0 { heard.note(name) } })
            defer { events.close() }
            events.watch([name])
            func run(_ script: String) throws -> UInt32 {
                try kernel.perform(.applyFirewall(script: script, name))
                return try kernel.firewallGeneration(in: name)
            }
            // The first may have begun before somebody listened.
            let start = try run("add table inet neutrino\n")
            let elements = (0..<500).map { "10.0.\($0 / 250).\($0 % 250)" }.joined(separator: ", ")
            _ = try run("table ip other { set s { type ipv4_addr; elements = { \(elements) }; }; chain c { accept; }; }\n")
            _ = try run("add table ip other; add chain inet neutrino c\n")
            _ = try run("add rule inet neutrino c counter\n")
            _ = try run("delete table ip other\n")
            let end = try run("flush ruleset\n")
            #expect(
                events.tables(in: name, after: start, through: end)
                    == [["ip other"], ["inet neutrino"], ["inet neutrino"], ["ip other"], ["inet neutrino"]])
            #expect(RealKernel.eventually { heard.names == [name] })
            #expect(events.tables(in: RealKernel.freshName("missing"), after: start, through: end) == nil)
        }
    }

    @Test("Transactions of several rulesets, which one socket tells of, are told apart")
    func severalHistories() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 2) { names in
            let events = try NamespaceEvents { _ in }
            defer { events.close() }
            events.watch(Set(names))
            func run(_ script: String, _ name: NamespaceName) throws -> UInt32 {
                try kernel.perform(.applyFirewall(script: script, name))
                return try kernel.firewallGeneration(in: name)
            }
            let starts = try names.map { try run("add table inet neutrino\n", $0) }
            _ = try run("add table ip first\n", names[0])
            _ = try run("add table ip second\n", names[1])
            let ends = [try run("add table ip third\n", names[0]), try run("add table ip fourth\n", names[1])]
            #expect(events.tables(in: names[0], after: starts[0], through: ends[0]) == [["ip first"], ["ip third"]])
            #expect(events.tables(in: names[1], after: starts[1], through: ends[1]) == [["ip second"], ["ip fourth"]])
        }
    }

    @Test("More messages than a socket holds are a change of which nothing is known, and the next one is known again")
    func lostHistory() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let name = names[0]
            let events = try NamespaceEvents(rulesetBufferBytes: 64 * 1024, onChange: { _ in })
            defer { events.close() }
            events.watch([name])
            func run(_ script: String) throws -> UInt32 {
                try kernel.perform(.applyFirewall(script: script, name))
                return try kernel.firewallGeneration(in: name)
            }
            let elements = (0..<20_000).map { "10.\($0 / 62_500).\($0 / 250 % 250).\($0 % 250)" }.joined(separator: ", ")
            let before = try run("add table ip other\n")
            let large = try run("table ip other { set s { type ipv4_addr; elements = { \(elements) }; }; }\n")
            #expect(events.tables(in: name, after: before, through: large) == nil)
            _ = try run("add table ip other\nadd chain ip other a\n")
            let middle = try run("add chain ip other b\n")
            let end = try run("add chain ip other c\n")
            #expect(events.tables(in: name, after: middle, through: end) == [["ip other"]])
        }
    }
}

private final class Heard: Sendable {
    private let all = Mutex<Set<NamespaceName>>([])

    var names: Set<NamespaceName> { all.withLock { $0 } }
    func note(_ name: NamespaceName) { _ = all.withLock { $0.insert(name) } }
    func forget() { all.withLock { $0 = [] } }
}
