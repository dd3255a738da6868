import CLinux
import Glibc
import KernelInterface

/// IFNAMSIZ (linux/if.h) without the zero at the end.
private let longestLinkName = 15

extension LinuxKernel {
    func addLink(_ link: Link, in namespace: NamespaceName?) throws(KernelError) {
        let action = KernelOperation.addLink(link, namespace).action
        guard link.kind != .foreign else {
            throw KernelError(EOPNOTSUPP, action, kernelSentence: "somebody else makes this link; it can only be wired")
        }
        let socket = try handles.handle(namespace).route
        var context = LinkCreationContext()
        if let bridge = link.bridge {
            context.bridgeIndex = try attempt(action) { () throws(NetlinkError) in try socket.indexOfLink(bridge) }
        }
        if case .vlan(let parent, _) = link.kind {
            context.parentIndex = try attempt(action) { () throws(NetlinkError) in try socket.indexOfLink(parent) }
        }
        if case .veth(_, let peerNamespace) = link.kind, peerNamespace != namespace {
            context.peerNamespace = try NamespaceRunner.openNamespace(peerNamespace)
        }
        defer { if let descriptor = context.peerNamespace { close(descriptor) } }
        try attempt(action) { () throws(NetlinkError) in
            try socket.perform(LinkMessages.creation(of: link, context))
            guard LinkMessages.needsCompletion(link) else { return }
            let index = try socket.indexOfLink(link.name)
            do throws(NetlinkError) {
                try socket.perform(LinkMessages.completion(of: link, index: index))
            } catch {
                // Half a link would look like somebody else's. When it cannot be removed either, the first error tells more.
                try? socket.perform(LinkMessages.removal(index: index))
                throw error
            }
        }
    }

    /// Sends only what differs: setting a MAC or an MTU to what it is makes the kernel flush neighbours and tell everybody all the same.
    func changeLink(_ link: Link, in namespace: NamespaceName?) throws(KernelError) {
        let socket = try handles.handle(namespace).route
        try attempt(KernelOperation.changeLink(link, namespace).action) { () throws(NetlinkError) in
            guard let now = try socket.get(LinkMessages.get(name: link.name), { LinkRecord($0) }) else { throw NetlinkError(code: ENODEV) }
            let bridgeIndex = try link.bridge.map { (name) throws(NetlinkError) in try socket.indexOfLink(name) } ?? 0
            var change = LinkMessages.Change()
            if let mac = link.mac, mac != now.mac { change.mac = mac }
            if let mtu = link.mtu, mtu != now.mtu { change.mtu = mtu }
            if let alias = link.alias, alias != now.alias { change.alias = alias }
            if bridgeIndex != now.masterIndex ?? 0 { change.bridgeIndex = bridgeIndex }
            if link.isUp != now.isUp { change.isUp = link.isUp }
            let portNow = now.masterIndex == bridgeIndex ? now.bridgePort : BridgePortOptions()
            let changesPort = link.bridge != nil && link.bridgePort != portNow
            // A port comes up last, with its flags set.
            let isRising = changesPort && change.isUp == true
            if isRising { change.isUp = nil }
            if !change.isEmpty { try socket.perform(LinkMessages.change(index: now.index, change)) }
            if link.kind == .bridge {
                for message in LinkMessages.adoption(index: now.index, ending: now.bridgeAlterations.keys) { try socket.perform(message) }
            }
            if changesPort {
                let flags = LinkMessages.portFlags(index: now.index, link.bridgePort, ending: portNow.alterations)
                try socket.perform(flags)
            }
            if isRising { try socket.perform(LinkMessages.change(index: now.index, LinkMessages.Change(isUp: true))) }
        }
    }

    public func links(in namespace: NamespaceName?) throws(KernelError) -> [Link] {
        let handle = try handles.handle(namespace)
        let records = try attempt("list links\(place(namespace))") { () throws(NetlinkError) in
            try handle.route.dump(LinkMessages.dump()) { LinkRecord($0) }
        }
        var names: [Int32: String] = [:]
        for record in records { names[record.index] = record.name }
        var links: [Link] = []
        links.reserveCapacity(records.count)
        // The kernel takes names of any bytes. What is no UTF-8 may be longer as text than a name can be; none of ours is.
        for record in records where (1...longestLinkName).contains(record.name.utf8.count) {
            let bridge = record.masterKind == "bridge" ? record.masterIndex.flatMap { names[$0] } : nil
            let parent = record.peerNamespaceID == nil ? record.peerIndex.flatMap { names[$0] } : nil
            links.append(record.link(bridge: bridge, peer: try peer(of: record, handle, names), parent: parent))
        }
        return links
    }

    /// The other end of a veth: nil for other kinds, and for an end in a namespace that has no name here.
    private func peer(
        of record: LinkRecord, _ handle: NamespaceHandle, _ names: [Int32: String]
    ) throws(KernelError) -> (name: String, namespace: NamespaceName?)? {
        guard record.kind == "veth", let index = record.peerIndex else { return nil }
        guard let number = record.peerNamespaceID else { return names[index].map { ($0, handle.name) } }
        let found = try handle.peerName(number) { () throws(KernelError) in try namespaces() }
        guard let namespace = found else { return nil }
        do throws(NetlinkError) {
            let record = try handle.route.get(LinkMessages.get(index: index, namespaceID: number)) { LinkRecord($0) }
            return record.map { ($0.name, namespace) }
        } catch {
            // The other end, or its namespace, went since the dump.
            return nil
        }
    }
}
