import Addressing

/// The tree below `meta-data/` of EC2's form: names of directories end with a slash in listings, and leaves are text.
enum EC2Metadata {
    indirect enum Node {
        case leaf(String)
        case directory([Entry])

        struct Entry {
            var name: String
            /// The line of the listing; nil: the name, with a slash behind directories.
            var line: String?
            var node: Node

            init(_ name: String, line: String? = nil, _ node: Node) {
                self.name = name
                self.line = line
                self.node = node
            }

            var listed: String {
                if let line { return line }
                guard case .directory = node else { return name }
                return name + "/"
            }
        }

        func text(at path: ArraySlice<String>) -> String? {
            switch self {
            case .leaf(let text): return path.isEmpty ? text : nil
            case .directory(let entries):
                guard let name = path.first else { return entries.map(\.listed).joined(separator: "\n") }
                return entries.first { $0.name == name }?.node.text(at: path.dropFirst())
            }
        }
    }

    static func node(for subject: InstanceSubject) -> Node {
        var entries: [Node.Entry] = [
            .init("hostname", .leaf(subject.hostname)), .init("instance-id", .leaf(subject.id)),
            .init("local-hostname", .leaf(subject.hostname)), .init("mac", .leaf(subject.mac.description)),
        ]
        if let address = subject.addresses.first(where: { $0.version == .v4 }) {
            entries.append(.init("local-ipv4", .leaf(address.description)))
        }
        if let address = subject.addresses.first(where: { $0.version == .v6 }) { entries.append(.init("ipv6", .leaf(address.description))) }
        if let address = subject.floatingAddress { entries.append(.init("public-ipv4", .leaf(address.description))) }
        if !subject.facts.publicKeys.isEmpty { entries.append(.init("public-keys", keys(of: subject))) }
        return .directory(entries.sorted { $0.name < $1.name })
    }

    /// `0=name`, and below `0/`: `openssh-key`.
    private static func keys(of subject: InstanceSubject) -> Node {
        .directory(
            subject.sortedKeys.enumerated().map { index, key in
                Node.Entry("\(index)", line: "\(index)=\(key.name)", .directory([.init("openssh-key", .leaf(key.text))]))
            })
    }
}
