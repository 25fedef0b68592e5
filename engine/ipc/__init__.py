"""How the processes of one server talk: messages, the channel they travel by, the files of large ones."""
