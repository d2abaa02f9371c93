from services.purchases.main import main

main()
