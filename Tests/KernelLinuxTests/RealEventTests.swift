import Addressing
import Glibc
import KernelInterface
import Testing

@testable import KernelLinux

extension RealKernelTests {
    @Test("A link that appears, changes and goes in a namespace is heard of")
    func events() async throws {
        let kernel = LinuxKernel()
        let names = [RealKernel.freshName(), RealKernel.freshName()]
        defer { for name in names { try? kernel.perform(.removeNamespace(name)) } }
        for name in names { try kernel.perform(.addNamespace(name)) }
        let events = try NetworkEvents(namespace: names[0])
        defer { events.close() }
        var iterator = events.makeAsyncIterator()
        func waitFor(_ wanted: NetworkEvent) async {
            while let event = await iterator.next() {
                if event == wanted { return }
            }
            Issue.record("\(wanted) did not come")
        }
        try kernel.perform(.addLink(Link(name: "elsewhere", kind: .bridge), names[1]))
        try kernel.perform(.addLink(Link(name: "br", kind: .bridge, isUp: false), names[0]))
        var seen = await iterator.next()
        #expect(seen == .linkChanged(name: "br", isUp: false))
        try kernel.perform(.addLink(Link(name: "tap", kind: .veth(peer: "eth0", peerNamespace: names[1]), bridge: "br"), names[0]))
        await waitFor(.linkChanged(name: "tap", isUp: true))
        let address = LinkAddress(link: "br", address: try #require(InterfaceAddress("192.0.2.1/24")))
        try kernel.perform(.addAddress(address, names[0]))
        await waitFor(.addressAdded(address))
        try kernel.perform(.removeAddress(address, names[0]))
        await waitFor(.addressRemoved(address))
        try kernel.perform(.changeLink(Link(name: "tap", kind: .foreign), names[0]))
        await waitFor(.linkChanged(name: "tap", isUp: true))
        try kernel.perform(.removeLink(name: "tap", names[0]))
        await waitFor(.linkRemoved(name: "tap"))
        events.close()
        repeat { seen = await iterator.next() } while seen != nil
    }

    @Test("Entries of tunnels and neighbours that somebody sets are heard of with what they say, and those of bridges are not")
    func settings() async throws {
        let kernel = LinuxKernel()
        let name = RealKernel.freshName()
        defer { try? kernel.perform(.removeNamespace(name)) }
        try kernel.perform(.addNamespace(name))
        let local = try #require(IPAddress("192.0.2.1"))
        let remotes = [try #require(IPAddress("192.0.2.2")), try #require(IPAddress("192.0.2.3"))]
        let mac = MACAddress(rawValue: 0xFA16_3E00_0007)
        try kernel.perform(.addLink(Link(name: "br", kind: .bridge), name))
        let tunnel = Link(name: "tunnel", kind: .vxlan(vni: 7, local: local, port: 4789, isLearning: true), bridge: "br")
        try kernel.perform(.addLink(tunnel, name))
        let events = try NetworkEvents(namespace: name)
        defer { events.close() }
        let neighbour = Neighbour(address: try #require(IPAddress("10.0.0.7")), mac: mac, link: "br")
        try kernel.perform(.addForwarding(.bridgePort(mac: mac, link: "tunnel"), name))
        for remote in remotes { try kernel.perform(.addForwarding(.tunnel(mac: mac, link: "tunnel", remote: remote), name)) }
        try kernel.perform(.setNeighbour(neighbour, name))
        var heard: [NetworkEvent] = []
        var iterator = events.makeAsyncIterator()
        while heard.last != .neighbourSet(neighbour), let event = await iterator.next() {
            switch event {
            case .linkChanged, .linkRemoved, .addressAdded, .addressRemoved: continue
            default: heard.append(event)
            }
        }
        let entries = remotes.map { NetworkEvent.tunnelSet(.tunnel(mac: mac, link: "tunnel", remote: $0)) }
        #expect(heard == entries + [.neighbourSet(neighbour)])
    }

    @Test("Events that nobody reads become one call to look at everything")
    func overflow() async throws {
        let kernel = LinuxKernel()
        let name = RealKernel.freshName()
        defer { try? kernel.perform(.removeNamespace(name)) }
        try kernel.perform(.addNamespace(name))
        let events = try NetworkEvents(namespace: name)
        let address = LinkAddress(link: "br", address: try #require(InterfaceAddress("192.0.2.1/24")))
        var link = Link(name: "br", kind: .bridge)
        try kernel.perform(.addLink(link, name))
        for number in 0..<2000 {
            link.isUp = number % 2 == 0
            try kernel.perform(.changeLink(link, name))
        }
        try kernel.perform(.addAddress(address, name))
        var iterator = events.makeAsyncIterator()
        var wasToldToResync = false
        // There are no more events than changes: the loop ends.
        for _ in 0..<4000 where !wasToldToResync { wasToldToResync = await iterator.next() == .resync }
        #expect(wasToldToResync)
        events.close()
    }

    @Test("Closing ends a reader that waits, and so does cancelling its task")
    func closing() async throws {
        let before = try RealKernel.openDescriptors()
        for number in 0..<2 * RealKernel.descriptorTolerance {
            let isCancelled = number % 2 == 0
            let events = try NetworkEvents(namespace: nil)
            let reader = Task { for await _ in events {} }
            if isCancelled { reader.cancel() } else { events.close() }
            await reader.value
            events.close()
        }
        #expect(try RealKernel.eventually { try RealKernel.openDescriptors() < before + RealKernel.descriptorTolerance })
    }
}

@Suite struct NotifyPipeTests {
    /// A directory that goes with the test.
    private static func withDirectory(_ body: (String) async throws -> Void) async throws {
        var template = Array("/tmp/neutrino-test-XXXXXX".utf8CString)
        let path = template.withUnsafeMutableBufferPointer { area in
            area.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        let directory = try #require(path)
        do {
            try await body(directory)
        } catch {
            try LinuxProcessHost().removeFile(directory)
            throw error
        }
        try LinuxProcessHost().removeFile(directory)
    }

    @Test("Lines of many writers arrive, and the pipe outlives each of them")
    func lines() async throws {
        try await Self.withDirectory { directory in
            let path = "\(directory)/deep/er/fifo"
            try LinuxProcessHost().makeNamedPipe(path)
            try LinuxProcessHost().makeNamedPipe(path)
            let pipe = try NotifyPipe(path: path)
            var iterator = pipe.makeAsyncIterator()
            for text in ["INSTANCE \"VR_1\" BACKUP 100", "INSTANCE \"VR_1\" MASTER 100"] {
                let writer = try runProgram(["sh", "-c", "echo '\(text)' > \(path)"], timeoutMilliseconds: 5000)
                #expect(writer.exitCode == 0)
                #expect(await iterator.next() == text)
            }
            let reader = Task {
                var copy = pipe.makeAsyncIterator()
                return await copy.next()
            }
            pipe.close()
            #expect(await reader.value == nil)
        }
    }

    @Test("What is no named pipe is refused")
    func ordinaryFile() async throws {
        try await Self.withDirectory { directory in
            try LinuxProcessHost().writeFile("\(directory)/file", "text")
            #expect(throws: KernelError.self) { try NotifyPipe(path: "\(directory)/file") }
            #expect(throws: KernelError.self) { try NotifyPipe(path: "\(directory)/none") }
        }
    }
}
