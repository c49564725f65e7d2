# Greets whoever stands in the first argument; a program that knows nothing of enact.
echo "hello, $1"
