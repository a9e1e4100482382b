from relay.operator.cli import main

main()
