"""What tests are made with: stories, traces, commands, memory."""
