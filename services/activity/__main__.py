from services.activity.main import main

main()
